"""Tables 1 and 2 beside the paper's, and the paper's statements one by one."""
