"""The auditor's pages: what the receipts of a run or of a period say, as tables, plots, HTML, PDF and CSV."""
