"""generateContent and its kin: what is asked, what is seen, what is answered (generateContent reference, section 3)."""
