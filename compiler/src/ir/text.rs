//! The plan for people: states in order of execution, with what they say and wait for.

use super::{Attributes, Dag, Guard, Node, Origin};
use crate::types::{Value, resolve_plain};
use petgraph::{Direction, visit::EdgeRef};
use std::fmt::Write;

/// The plan as text, one paragraph for each state.
pub fn text(dag: &Dag) -> String {
    let mut out = String::new();
    for index in &dag.schedule {
        let Some(node) = dag.graph.node_weight(*index) else { continue };
        let _ = writeln!(out, "{}  [{}]", label(node), place(&node.origin));
        for (name, value) in &node.args {
            let shown = if node.secret.contains(name) { "***".to_owned() } else { scalar(value) };
            let _ = writeln!(out, "    {name}: {shown}");
        }
        for (name, value) in attributes(&node.attributes) {
            let _ = writeln!(out, "    {name}: {value}");
        }
        let mut requisites: Vec<(super::Requisite, &'static str, String)> = dag
            .graph
            .edges_directed(*index, Direction::Outgoing)
            .filter_map(|e| {
                let target = dag.graph.node_weight(e.target())?;
                let word = crate::lower::document::requisite_name(e.weight().requisite);
                Some((e.weight().requisite, word, label(target)))
            })
            .collect();
        requisites.sort();
        for (_, word, target) in requisites {
            let _ = writeln!(out, "    {word}: {target}");
        }
    }
    out
}

/// `pkg.installed nginx`; the name follows where it is not the id.
pub(super) fn label(node: &Node) -> String {
    if node.id == node.name {
        format!("{} {}", node.function, node.id)
    } else {
        format!("{} {} ({})", node.function, node.id, node.name.replace('\n', " "))
    }
}

fn place(origin: &Origin) -> String {
    let mut out = format!("{}:{}:{}", origin.file, origin.line, origin.column);
    for frame in &origin.via {
        let _ = write!(out, ", {} {}:{}:{}", frame.what, frame.file, frame.line, frame.column);
    }
    out
}

/// As an author would write it on one line.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Str(text) => {
            let plain = matches!(resolve_plain(text), Value::Str(_))
                && !text.contains(['\n', '#'])
                && !text.contains(": ")
                && text.trim() == text
                && !text.starts_with(['[', '{', '&', '*', '!', '|', '>', '%', '@', '`', '"', '\'', '-']);
            if plain { text.clone() } else { serde_json::to_string(text).unwrap_or_default() }
        }
        other => other.to_string(),
    }
}

/// Attributes that are set, as authors write them.
pub(super) fn attributes(attributes: &Attributes) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    let guard = |guard: &Guard| match guard {
        Guard::Command(command) => scalar(&Value::from(command.as_str())),
        Guard::Call { function, args, kwargs } => {
            let mut parts: Vec<String> = args.iter().map(scalar).collect();
            parts.extend(kwargs.iter().map(|(k, v)| format!("{k}={}", scalar(v))));
            format!("{function}({})", parts.join(", "))
        }
    };
    out.extend(attributes.onlyif.iter().map(|g| ("onlyif", guard(g))));
    out.extend(attributes.unless.iter().map(|g| ("unless", guard(g))));
    out.extend(attributes.creates.iter().map(|c| ("creates", c.clone())));
    out.extend(attributes.check_cmd.iter().map(|c| ("check_cmd", c.clone())));
    if let Some(retry) = &attributes.retry {
        out.push((
            "retry",
            format!(
                "attempts={}, until={}, interval={}s, splay={}s",
                retry.attempts, retry.until, retry.interval, retry.splay
            ),
        ));
    }
    if attributes.failhard {
        out.push(("failhard", "true".to_owned()));
    }
    if attributes.parallel {
        out.push(("parallel", "true".to_owned()));
    }
    out.extend(attributes.runas.iter().map(|r| ("runas", r.clone())));
    out.extend(attributes.timeout.iter().map(|t| ("timeout", format!("{t}s"))));
    out.extend(attributes.umask.iter().map(|u| ("umask", u.clone())));
    out.extend(attributes.fire_event.iter().map(|e| ("fire_event", scalar(e))));
    out.extend(attributes.order.iter().map(|o| ("order", o.to_string())));
    out
}

#[cfg(test)]
mod tests {
    use super::super::encode::tests::sample;

    #[test]
    fn states_are_shown_in_their_order() {
        assert_eq!(
            super::text(&sample()),
            "pkg.installed nginx  [states/web.zy:2:3]\n    name: nginx\n\
             service.running nginx  [states/web.zy:2:3]\n    name: nginx\n    require: pkg.installed nginx\n"
        );
    }
}
