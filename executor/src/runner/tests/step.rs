//! A made-up state function and plans of it.

use crate::runner::{Outcome, Return, RunOptions, Silent, SkipReason, run};
use std::sync::{Arc, Mutex};
use zester_compiler::{
    ir::{Attributes, Dag, Edge, Node, NodeIndex, Origin, Requisite},
    types::{FunctionName, Map, Value},
};
use zester_stdlib::{
    Arguments, Context, Exec, Failure, Library, Outcome as Applied, Plan, State, change,
    provider::fake::FakeMachine,
};

/// Does what it is told, and writes down each application.
#[derive(Arguments)]
#[state("fake.step")]
struct Step {
    /// Its name.
    #[arg(primary)]
    name: String,
    /// change, none, fail, break (fails while it is applied), panic, stateful, cancel
    does: String,
    /// Whether it reacts to watched changes.
    #[arg(default = false)]
    reacts: bool,
    /// Whether it takes what it waits for with `onchanges` for a watched change.
    #[arg(default = false)]
    eager: bool,
    /// Shown in its changes.
    password: Option<String>,
}

/// A function that guards call: a map that holds what it was given.
#[derive(Arguments)]
#[exec("fake.nested", pure)]
struct Nested {
    /// What comes back under `deep.value`.
    value: Value,
}

impl Exec for Nested {
    fn call(&self, _: &Context) -> Result<Value, String> {
        let inner = Map::from_iter([("value".to_owned(), self.value.clone())]);
        Ok(Value::Map(Map::from_iter([("deep".to_owned(), Value::Map(inner))])))
    }
}

/// What was applied, in order.
#[derive(Default)]
pub struct Log(Mutex<Vec<String>>);

fn log(cx: &Context, line: String) {
    cx.run.get_or("fake.log", Log::default).0.lock().unwrap().push(line);
}

impl State for Step {
    fn plan(&self, _: &Context) -> Result<Plan<'_>, Failure> {
        let name = self.name.clone();
        let new = self.password.clone().unwrap_or_else(|| "b".to_owned());
        let changes = Map::from_iter([("value".to_owned(), change("a", new.clone()))]);
        match self.does.as_str() {
            "none" => Ok(Plan::unchanged("as wanted")),
            "fail" => Err(Failure::new(format!("{name} cannot work"))),
            "panic" => panic!("a defect"),
            does => {
                let does = does.to_owned();
                Ok(Plan::change(changes, format!("sets {new}"), move |cx| {
                    log(cx, name.clone());
                    match does.as_str() {
                        "break" => Err(Failure::new(format!("{name} broke"))),
                        "stateful" => Ok(Applied { unchanged: true, ..Applied::default() }),
                        // Whether somebody holds the lock of the machine.
                        "look" => {
                            let path = std::path::PathBuf::from(name.clone());
                            match crate::runner::Lock::take(&path, None) {
                                Ok(_) => Err(Failure::new("free")),
                                Err(error) => Err(Failure::new(error.to_string())),
                            }
                        }
                        "cancel" => {
                            cx.cancel.cancel();
                            Ok(Applied::default())
                        }
                        // Succeeds at its third application.
                        "third" => {
                            let count = cx.run.get_or("fake.log", Log::default).0.lock().unwrap().len();
                            if count < 3 { Err(Failure::new("not yet")) } else { Ok(Applied::default()) }
                        }
                        _ => Ok(Applied::default()),
                    }
                }))
            }
        }
    }

    fn watched(&self, _: &Context) -> Result<Option<Plan<'_>>, Failure> {
        let name = self.name.clone();
        Ok(self.reacts.then(|| {
            Plan::change(Map::new(), "reacts", move |cx| {
                log(cx, format!("{name} reacts"));
                Ok(Applied::default())
            })
        }))
    }

    fn reacts_to_onchanges(&self) -> bool {
        self.eager
    }
}

/// A plan in the making; states run in the order they are added, unless `prereq` says otherwise.
#[derive(Default)]
pub struct Steps {
    pub dag: Dag,
}

impl Steps {
    /// Adds a state that does something.
    pub fn add(&mut self, id: &str, does: &str) -> NodeIndex {
        let args =
            Map::from_iter([("name".to_owned(), Value::from(id)), ("does".to_owned(), Value::from(does))]);
        let node = Node {
            id: id.to_owned(),
            function: FunctionName::parse("fake.step").unwrap(),
            name: id.to_owned(),
            args,
            secret: Vec::new(),
            attributes: Attributes::default(),
            sls: "fake".to_owned(),
            env: "base".to_owned(),
            origin: Origin::default(),
            arg_origins: indexmap::IndexMap::default(),
        };
        let index = self.dag.graph.add_node(node);
        self.dag.schedule.push(index);
        index
    }

    /// A state that reacts to what it watches.
    pub fn reacting(&mut self, id: &str, does: &str) -> NodeIndex {
        let index = self.add(id, does);
        self.node(index).args.insert("reacts".to_owned(), Value::from(true));
        index
    }

    pub fn node(&mut self, index: NodeIndex) -> &mut Node {
        &mut self.dag.graph[index]
    }

    /// `from` has a requisite on `to`.
    pub fn link(&mut self, from: NodeIndex, requisite: Requisite, to: NodeIndex) {
        self.dag.graph.add_edge(from, to, Edge { requisite, origin: None });
    }

    /// Runs it on a machine that knows the commands `succeed` and `refuse`.
    pub fn run_with(&self, test: bool, options: RunOptions) -> Ran {
        let machine = FakeMachine::new();
        machine.commands.reply("succeed", 0, "");
        machine.commands.reply("refuse", 1, "no");
        let cx = Context { library: Arc::new(library()), test, ..machine.context() };
        let returned = run(&self.dag, &cx, options, &Silent);
        let log = cx.run.get_or("fake.log", Log::default).0.lock().unwrap().clone();
        Ran { returned, log, machine }
    }

    pub fn apply(&self) -> Ran {
        self.run_with(false, RunOptions::default())
    }

    pub fn test(&self) -> Ran {
        self.run_with(true, RunOptions::default())
    }
}

fn library() -> Library {
    let mut library = Library::new();
    library.state::<Step>().exec::<Nested>();
    library
}

/// A finished run.
pub struct Ran {
    pub returned: Return,
    pub log: Vec<String>,
    pub machine: FakeMachine,
}

impl Ran {
    pub fn state(&self, id: &str) -> &crate::runner::StateResult {
        self.returned.states.iter().find(|s| s.id == id).unwrap()
    }

    /// How a state ended, and why it was skipped.
    pub fn of(&self, id: &str) -> (Outcome, Option<SkipReason>) {
        let state = self.state(id);
        (state.result, state.skip_reason)
    }
}
