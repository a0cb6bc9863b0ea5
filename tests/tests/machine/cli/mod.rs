//! The real `zester` command: exit statuses, documents, signals, locks, and that a run does what it says.

mod apply;
mod check;
mod custom_modules;
mod editing;
mod integrations;
mod interruption;
mod inventory;
mod migrate;
mod other;
mod secret;
