"""The paper's explanations, tested: questions with arms that differ in one thing, trained and tried on equal terms."""
