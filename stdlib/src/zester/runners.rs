//! The runners: what an orchestration can ask besides jobs and events.

use zester_compiler::{
    diagnostic::nearest,
    types::{Map, Value},
};

/// A runner.
#[derive(Debug)]
pub struct Runner {
    /// Its name.
    pub name: &'static str,
    /// Salt's names for it.
    pub aliases: &'static [&'static str],
    /// Its parameters, in the order in which positional arguments bind: name, Salt's name, whether it must be given.
    pub params: &'static [(&'static str, &'static str, bool)],
    /// Whether it changes something.
    pub changes: bool,
}

/// All of them.
pub const RUNNERS: &[Runner] = &[
    Runner {
        name: "orch",
        aliases: &["state.orchestrate", "state.orch"],
        params: &[
            ("ref", "mods", true),
            ("env", "saltenv", false),
            ("test", "test", false),
            ("settings", "pillar", false),
        ],
        changes: true,
    },
    Runner {
        name: "job.list",
        aliases: &["jobs.list_jobs"],
        params: &[("limit", "limit", false)],
        changes: false,
    },
    Runner { name: "job.active", aliases: &["jobs.active"], params: &[], changes: false },
    Runner {
        name: "job.show",
        aliases: &["jobs.lookup_jid"],
        params: &[("jid", "jid", true)],
        changes: false,
    },
    Runner { name: "peel.list", aliases: &[], params: &[("target", "tgt", false)], changes: false },
    Runner {
        name: "peel.status",
        aliases: &["manage.status"],
        params: &[("target", "tgt", false), ("timeout", "timeout", false)],
        changes: false,
    },
    Runner {
        name: "peel.up",
        aliases: &["manage.up"],
        params: &[("target", "tgt", false), ("timeout", "timeout", false)],
        changes: false,
    },
    Runner {
        name: "peel.down",
        aliases: &["manage.down"],
        params: &[("target", "tgt", false), ("timeout", "timeout", false)],
        changes: false,
    },
    Runner { name: "enroll.list", aliases: &[], params: &[], changes: false },
    Runner {
        name: "basket.get",
        aliases: &["mine.get"],
        params: &[("target", "tgt", true), ("function", "fun", true)],
        changes: false,
    },
    Runner {
        name: "event.send",
        aliases: &[],
        params: &[("tag", "tag", true), ("data", "data", false)],
        changes: true,
    },
    Runner { name: "test.sleep", aliases: &[], params: &[("seconds", "s_time", true)], changes: false },
];

/// The runner of a name.
pub fn find(name: &str) -> Result<&'static Runner, String> {
    let known = || RUNNERS.iter().flat_map(|r| std::iter::once(r.name).chain(r.aliases.iter().copied()));
    RUNNERS.iter().find(|r| r.name == name || r.aliases.contains(&name)).ok_or_else(|| {
        let near = nearest(name, known()).map(|n| format!("; did you mean `{n}`?"));
        let near = near.unwrap_or_else(|| format!("; there are {}", known().collect::<Vec<_>>().join(", ")));
        format!("there is no runner `{name}`{near}")
    })
}

impl Runner {
    /// Arguments by their parameters' names.
    pub fn bind(&self, args: &[Value], kwargs: &Map) -> Result<Map, String> {
        let mut bound = Map::new();
        if let Some(extra) = args.get(self.params.len()) {
            return Err(format!(
                "`{}` takes {} arguments, and `{extra}` is one more",
                self.name,
                self.params.len()
            ));
        }
        for ((name, ..), value) in self.params.iter().zip(args) {
            bound.insert((*name).to_owned(), value.clone());
        }
        for (key, value) in kwargs {
            let found = self.params.iter().find(|(name, salts, _)| name == key || salts == key);
            let Some((name, ..)) = found else {
                let names: Vec<&str> = self.params.iter().map(|(name, ..)| *name).collect();
                let hint = match (nearest(key, names.iter().copied()), names.is_empty()) {
                    (Some(near), _) => format!("; did you mean `{near}`?"),
                    (None, true) => "; it takes none".to_owned(),
                    (None, false) => format!("; its arguments are {}", names.join(", ")),
                };
                return Err(format!("`{}` has no argument `{key}`{hint}", self.name));
            };
            if bound.insert((*name).to_owned(), value.clone()).is_some() {
                return Err(format!("`{name}` of `{}` is given twice", self.name));
            }
        }
        match self.params.iter().find(|(name, _, required)| *required && !bound.contains_key(*name)) {
            Some((name, ..)) => Err(format!("`{}` needs `{name}`", self.name)),
            None => Ok(bound),
        }
    }
}
