"""Live logs into stores for as long as they last: what is watched, what becomes of it, how it stands."""
