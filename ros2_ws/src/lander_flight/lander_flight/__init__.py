"""Flight software: navigation, guidance, throttle, health, payload manager, with their nodes."""
