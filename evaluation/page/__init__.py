"""`report.html`: one self-contained page of a report and the sets it judges."""
