//! The ways into Zester for text and bytes that anybody may have written: each is a function that takes everything and panics only where a
//! promise is broken. Fuzzers (`tests/fuzz/`) and the mutations of `tests/tests/language/fuzzed.rs` call the same ones.

mod corpus;
mod language;
mod machine;
mod spans;
mod wire;

pub use corpus::seeds;
pub use wire::STRUCTS;

/// A way in.
pub struct Entry {
    /// Its name: of its fuzz target, and of the folder with the inputs that once broke it.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Real inputs to begin from.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// How dear one call is, relative to the cheapest: dear ones are tried less often.
    pub cost: u32,
}

/// All of them.
pub const ENTRIES: &[Entry] = &[
    Entry { name: "parse", run: language::parse, corpus: corpus::files, cost: 2 },
    Entry { name: "expression", run: language::expression, corpus: corpus::expressions, cost: 1 },
    Entry { name: "rendered", run: language::rendered, corpus: corpus::rendered, cost: 2 },
    Entry { name: "target", run: language::target, corpus: corpus::targets, cost: 1 },
    Entry { name: "config", run: language::config, corpus: corpus::configurations, cost: 1 },
    Entry { name: "facts", run: machine::facts, corpus: corpus::data, cost: 1 },
    Entry { name: "check", run: machine::check, corpus: corpus::files, cost: 10 },
    Entry { name: "render", run: machine::render, corpus: corpus::files, cost: 5 },
    Entry { name: "lower", run: machine::lower, corpus: corpus::files, cost: 5 },
    Entry { name: "settings", run: machine::settings, corpus: corpus::settings, cost: 5 },
    Entry { name: "module", run: language::module, corpus: corpus::modules, cost: 3 },
    Entry { name: "wire", run: wire::structs, corpus: wire::corpus, cost: 1 },
    Entry { name: "signed", run: wire::signed, corpus: wire::signed_corpus, cost: 2 },
    Entry { name: "token", run: wire::token, corpus: wire::token_corpus, cost: 2 },
    Entry { name: "journal", run: wire::journal, corpus: wire::journal_corpus, cost: 2 },
];

/// The entry of a name.
pub fn entry(name: &str) -> &'static Entry {
    ENTRIES.iter().find(|e| e.name == name).unwrap_or_else(|| panic!("there is no entry `{name}`"))
}
