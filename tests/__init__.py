"""What Upkeep promises, asked of real engines and real stores."""
