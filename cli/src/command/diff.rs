//! `zester diff`

use crate::{
    known::{self, Known},
    options::Common,
    output::{Exit, Failure, print},
};
use clap::Args;
use serde_json::{Value as Json, json};
use std::{collections::HashMap, sync::Arc};
use zester_compiler::{
    fleet::{Class, Fleet, named},
    ir::{PlanDiff, Shown},
    project::{OpenOptions, Project},
    settings::KeepSealed,
    types::Facts,
};
use zester_executor::{
    local::{Local, LocalOptions},
    revision::Revision,
};
use zester_stdlib::Cancel;

/// Whose plan changes, and how? Compares the plans of the known peels between two revisions of the tree, or between one
/// and the files as they are now. The work tree is not touched.
///
/// The peels are those of the project's inventory (`facts` in zester.yaml), of --facts DIR or of --fleet; without any,
/// this machine. Peels whose plans change alike are shown together.
#[derive(Args)]
pub struct DiffArgs {
    /// The earlier revision: any name that git knows.
    pub old: String,
    /// The later one; the files as they are now without it.
    pub new: Option<String>,
    #[command(flatten)]
    pub known: Known,
    /// Only peels that match.
    #[arg(short, long, value_name = "TARGET")]
    pub target: Option<String>,
    /// Compares what these refs give instead of the highstate. Repeatable.
    #[arg(long = "ref", value_name = "REF")]
    pub refs: Vec<String>,
    /// Ends with 1 when there is a difference.
    #[arg(long)]
    pub exit_code: bool,
}

/// One side of the comparison.
struct Side {
    /// How it is called.
    name: String,
    local: Local,
    fleet: Fleet,
    class_of: Vec<usize>,
}

/// What happens to the plan of some peels.
enum What {
    /// It changes.
    Changes(PlanDiff),
    /// It cannot be made on one side or both: why, before and after.
    Unknown(Option<String>, Option<String>),
}

/// Peels whose plans change alike.
struct Group {
    peels: Vec<usize>,
    what: What,
}

/// Runs the command.
pub fn run(common: &Common, args: &DiffArgs) -> Result<Exit, Failure> {
    let here =
        Local::open(LocalOptions { facts: None, ..common.local_without_secrets()? }, Cancel::default())?;
    let peels = peels(common, args, &here)?;
    let old = side(common, args, &here, Some(&args.old), &peels)?;
    let new = side(common, args, &here, args.new.as_deref(), &peels)?;
    let wanted: Vec<bool> = match &args.target {
        Some(text) => known::matching(text, &new.local.project, &new.fleet, &peels)?,
        None => vec![true; peels.len()],
    };
    if !wanted.contains(&true) {
        eprintln!("zester: no known peel matches `{}`", args.target.as_deref().unwrap_or_default());
        return Ok(Exit::NoPeel);
    }
    let groups = groups(&old, &new, &wanted);
    let count = wanted.iter().filter(|w| **w).count();
    print(&if common.json() {
        document(&old, &new, &groups, &peels, count)
    } else {
        text(&old, &new, &groups, &peels, count)
    });
    Ok(if args.exit_code && !groups.is_empty() { Exit::Problems } else { Exit::Fine })
}

fn peels(common: &Common, args: &DiffArgs, here: &Local) -> Result<Vec<Arc<Facts>>, Failure> {
    let inventory = !here.project.config().facts.is_empty();
    if args.known.asked(common) || inventory {
        return args.known.peels(common, &here.project);
    }
    let machine = Local::open(common.local(true), Cancel::default())?;
    Ok(vec![machine.facts()?])
}

fn side(
    common: &Common,
    args: &DiffArgs,
    here: &Local,
    revision: Option<&str>,
    peels: &[Arc<Facts>],
) -> Result<Side, Failure> {
    let (name, project) = match revision {
        None => ("the files as they are".to_owned(), here.project.clone()),
        Some(revision) => {
            let opened = Revision::open(&here.root, revision).map_err(|e| Failure::new(e.to_string()))?;
            let outside = opened.clone();
            let options = OpenOptions {
                outside: Some(Box::new(move |directory| outside.outside(directory))),
                unseal: Some(Arc::new(KeepSealed)),
                ..OpenOptions::default()
            };
            (revision.to_owned(), Arc::new(Project::open(Arc::new(opened.sources()), options)?))
        }
    };
    let local = known::without_machine(project, here, common);
    let fleet = known::plans(&local, common, peels, &args.refs, true);
    let class_of = fleet.class_of(peels.len());
    Ok(Side { name, local, fleet, class_of })
}

impl Side {
    fn class(&self, peel: usize) -> Option<&Class> {
        self.fleet.classes.get(*self.class_of.get(peel)?)
    }
}

/// Compares each pair of plans once, and puts peels with one and the same difference together.
fn groups(old: &Side, new: &Side, wanted: &[bool]) -> Vec<Group> {
    let mut by_pair: HashMap<(usize, usize), Option<usize>> = HashMap::new();
    let mut by_text: HashMap<String, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for peel in (0..wanted.len()).filter(|peel| wanted[*peel]) {
        let pair = (
            old.class_of.get(peel).copied().unwrap_or_default(),
            new.class_of.get(peel).copied().unwrap_or_default(),
        );
        let group = *by_pair.entry(pair).or_insert_with(|| {
            let what = compare(old, new, peel)?;
            let text = match &what {
                What::Changes(diff) => diff.text(),
                What::Unknown(before, after) => format!("{before:?}{after:?}"),
            };
            Some(*by_text.entry(text).or_insert_with(|| {
                groups.push(Group { peels: Vec::new(), what });
                groups.len() - 1
            }))
        });
        if let Some(group) = group.and_then(|at| groups.get_mut(at)) {
            group.peels.push(peel);
        }
    }
    groups
}

/// The difference of a peel's plans; none where they are equal.
fn compare(old: &Side, new: &Side, peel: usize) -> Option<What> {
    // Without a top file there are no plans: all that the other side has comes or goes.
    let empty = zester_compiler::ir::Dag::default();
    let plan = |side: &'_ Side| match side.class(peel) {
        None => Ok(None),
        Some(class) => match &class.plan {
            Some(plan) => Ok(Some((plan.clone(), class.mask.clone()))),
            None => Err(known::first_error(&class.diagnostics, &side.local.project)),
        },
    };
    match (plan(old), plan(new)) {
        (Ok(before), Ok(after)) => {
            let mask = |side: &Option<(Arc<zester_compiler::ir::Dag>, zester_compiler::settings::Mask)>| {
                side.as_ref().map(|(plan, mask)| mask.dag(plan).into_owned())
            };
            let (shown_before, shown_after) = (mask(&before), mask(&after));
            let before = Shown {
                plan: before.as_ref().map_or(&empty, |(plan, _)| &**plan),
                shown: shown_before.as_ref().unwrap_or(&empty),
            };
            let after = Shown {
                plan: after.as_ref().map_or(&empty, |(plan, _)| &**plan),
                shown: shown_after.as_ref().unwrap_or(&empty),
            };
            let diff = PlanDiff::of(before, after);
            (!diff.is_empty()).then_some(What::Changes(diff))
        }
        (Err(before), Err(after)) if before == after => None,
        (before, after) => Some(What::Unknown(before.err(), after.err())),
    }
}

fn ids<'p>(group: &Group, peels: &'p [Arc<Facts>]) -> Vec<&'p str> {
    group.peels.iter().filter_map(|peel| peels.get(*peel)).map(|facts| facts.id.as_str()).collect()
}

fn text(old: &Side, new: &Side, groups: &[Group], peels: &[Arc<Facts>], count: usize) -> String {
    let mut out = String::new();
    let mut changed = 0;
    for group in groups {
        changed += group.peels.len();
        let of = group.peels.len();
        let word = if of == 1 { "peel" } else { "peels" };
        out.push_str(&format!("{of} {word} ({})\n", named(&ids(group, peels))));
        let body = match &group.what {
            What::Changes(diff) => diff.text(),
            What::Unknown(before, after) => {
                let mut body = String::new();
                for (side, error) in [(old, before), (new, after)] {
                    match error {
                        Some(error) => body.push_str(&format!("! no plan in {}: {error}\n", side.name)),
                        None => body.push_str(&format!("! a plan in {}\n", side.name)),
                    }
                }
                body
            }
        };
        for line in body.lines() {
            out.push_str(&format!("  {line}\n"));
        }
        out.push('\n');
    }
    let word = if count == 1 { "peel" } else { "peels" };
    out.push_str(&match changed {
        0 => format!("the plans of {count} {word} are the same in {} and in {}\n", old.name, new.name),
        _ => {
            format!("the plans of {changed} of {count} {word} differ between {} and {}\n", old.name, new.name)
        }
    });
    out
}

fn document(old: &Side, new: &Side, groups: &[Group], peels: &[Arc<Facts>], count: usize) -> String {
    let all: Vec<Json> = groups
        .iter()
        .map(|group| {
            let mut entry = match &group.what {
                What::Changes(diff) => json!(diff),
                What::Unknown(before, after) => json!({"error": {"old": before, "new": after}}),
            };
            entry["peels"] = json!(ids(group, peels));
            entry
        })
        .collect();
    let changed: usize = groups.iter().map(|g| g.peels.len()).sum();
    let document = json!({
        "format_version": "1.0", "old": old.name, "new": new.name, "peels": count, "changed": changed, "groups": all,
    });
    format!("{document}\n")
}
