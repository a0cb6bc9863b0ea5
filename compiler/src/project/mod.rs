//! A project: its configuration, its roots, and the files that refs name.
