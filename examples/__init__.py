"""Applications that Upkeep is shown and tested on."""
