//! The language without a fleet: checks, plans, fixes, layouts, and what nobody should write.

mod check_fixtures;
mod check_json;
mod diagnostic_pages;
mod fixes;
mod formatting;
mod fuzzed;
mod hostile;
mod house;
mod known_mistakes;
mod lower_fixtures;
mod migrating;
mod mutations;
mod pathological;
mod projects;
mod sessions;
mod trees;
mod type_spec;
mod usage;
