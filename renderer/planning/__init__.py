"""What a render would do, said beforehand: who is asked, what it costs, how long it takes."""
