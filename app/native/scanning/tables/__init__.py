"""Tables of fields, one module a family of surfaces, derived from the types of Google's and OpenAI's SDKs.

A test walks the installed SDKs' types: each string field of a request is free text here, a reference, or a listed word.
"""
