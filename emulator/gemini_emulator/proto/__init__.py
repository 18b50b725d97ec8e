"""Reading JSON as Google's front end does: proto3 JSON, in both cases, with its own words about what is wrong."""
