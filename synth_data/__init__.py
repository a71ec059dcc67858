"""The data floor: real speech in, synthetic sets out, and the door between."""
