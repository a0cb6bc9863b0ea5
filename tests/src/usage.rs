//! How much of what real trees use a registry knows: the usage study's table of state functions, and sums over it.
//!
//! The table names the head of the ranking and parts of its tail. What it does not name counts as unknown, so every number here is the least
//! that can be said.

use zester_compiler::types::{FunctionKind, Registry};

const TABLE: &str = include_str!("../fixtures/usage/state_functions.txt");

/// One function of the table.
#[derive(Clone, PartialEq, Debug)]
pub struct Used {
    /// Place in the ranking, from 1.
    pub rank: usize,
    /// `module.function`.
    pub name: String,
    /// How often it is used.
    pub uses: u64,
    /// In how many repositories.
    pub repositories: u64,
    /// Per cent of the files that use nothing behind this rank.
    pub files: f64,
}

/// The table.
#[derive(Clone, PartialEq, Debug)]
pub struct Table {
    /// Uses of all functions, also of those that it does not name.
    pub total_uses: u64,
    /// Functions that were counted.
    pub total_functions: u64,
    /// By rank.
    pub functions: Vec<Used>,
}

impl Table {
    /// The table of the repository.
    ///
    /// # Panics
    /// When a line of it cannot be read: it is ours.
    pub fn read() -> Self {
        let mut table = Self { total_uses: 0, total_functions: 0, functions: Vec::new() };
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["total", uses, functions, _] => {
                    table.total_uses = uses.parse().expect("a count");
                    table.total_functions = functions.parse().expect("a count");
                }
                [rank, name, uses, repositories, _, _, files] => table.functions.push(Used {
                    rank: rank.parse().expect("a rank"),
                    name: name.to_owned(),
                    uses: uses.parse().expect("a count"),
                    repositories: repositories.parse().expect("a count"),
                    files: files.parse().expect("per cent"),
                }),
                _ => panic!("a line of the table that cannot be read: {line}"),
            }
        }
        table
    }
}

/// How much of a table is known.
#[derive(Clone, PartialEq, Debug)]
pub struct Coverage {
    /// Uses of known functions, of all uses.
    pub uses: u64,
    /// Uses of functions that the table names.
    pub named: u64,
    /// All uses.
    pub total: u64,
    /// Up to this rank every function that the table names is known.
    pub whole_to: usize,
    /// Per cent of the files that use nothing behind that rank, and so nothing that is not known.
    pub files: f64,
    /// What is not known, by rank.
    pub missing: Vec<Used>,
}

impl Coverage {
    /// Compares a table with a registry.
    pub fn of(table: &Table, registry: &Registry) -> Self {
        let known = |used: &&Used| {
            used.name.split_once('.').is_some_and(|(module, function)| {
                registry.get(FunctionKind::State, module, function).is_some()
            })
        };
        let missing: Vec<Used> = table.functions.iter().filter(|used| !known(used)).cloned().collect();
        // A rank that the table leaves out may be unknown, so what counts ends before the first gap as well.
        let whole = table
            .functions
            .iter()
            .enumerate()
            .take_while(|(index, used)| used.rank == index + 1 && known(used))
            .last();
        Self {
            uses: table.functions.iter().filter(known).map(|used| used.uses).sum(),
            named: table.functions.iter().map(|used| used.uses).sum(),
            total: table.total_uses,
            whole_to: whole.map_or(0, |(_, used)| used.rank),
            files: whole.map_or(0.0, |(_, used)| used.files),
            missing,
        }
    }

    /// Per cent of all uses that are of known functions, at least.
    pub fn percent(&self) -> f64 {
        per_cent(self.uses, self.total)
    }

    /// Per cent of the uses whose function the table names.
    pub fn percent_of_named(&self) -> f64 {
        per_cent(self.uses, self.named)
    }
}

fn per_cent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}
