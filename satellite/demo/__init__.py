"""The demo's spoken requests: short recordings, what is said in them, and who may use them."""
