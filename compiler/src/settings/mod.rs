//! Settings: top matching, merge, provenance.
