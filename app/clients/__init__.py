"""Who calls: keys, tokens and identity providers; what they may do, what they may spend, what they have used."""
