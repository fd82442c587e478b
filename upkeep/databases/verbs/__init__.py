"""What an engine does for Upkeep, as protocols; import them from `upkeep.databases`."""
