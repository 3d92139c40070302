#!/bin/sh
# A bill of materials of an environment, and what is known to be unsafe of what the lock pins. Called by a workflow:
#     sh tools/audit.sh .venv build
# Writes <folder>/sbom.json (CycloneDX) and prints pip-audit's findings; exits with 1 if there are any. Both tools go
# into an environment of their own, so that they are not in the bill.
set -eu

environment=$1
folder=$2
mkdir -p "$folder"
"$environment/bin/python" -m venv --clear "$folder/audit"
"$folder/audit/bin/python" -m pip install -q ${PIP_ARGS:-} cyclonedx-bom pip-audit
"$folder/audit/bin/cyclonedx-py" environment --output-reproducible --output-file "$folder/sbom.json" "$environment/bin/python"
echo "$folder/sbom.json: $(grep -c '"purl"' "$folder/sbom.json") packages"
# shellcheck disable=SC2086  # a list
"$folder/audit/bin/pip-audit" --disable-pip --require-hashes --requirement requirements.lock --progress-spinner off ${AUDIT_ARGS:-}
