//! From the author's words to a value, directed by the type that a signature asks for.
