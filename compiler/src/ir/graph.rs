//! The plan as a picture: Mermaid and Graphviz.

use super::{Dag, text::label};
use petgraph::{graph::NodeIndex, visit::EdgeRef};
use std::{collections::HashMap, fmt::Write};

/// Number of each state in the order of execution, and all requisites between them, sorted.
fn edges(dag: &Dag) -> Vec<(usize, usize, &'static str)> {
    let turn: HashMap<NodeIndex, usize> = dag.schedule.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let mut edges: Vec<(usize, usize, &'static str)> = dag
        .schedule
        .iter()
        .flat_map(|n| dag.graph.edges(*n))
        .filter_map(|e| {
            let word = crate::lower::document::requisite_name(e.weight().requisite);
            Some((*turn.get(&e.source())?, *turn.get(&e.target())?, word))
        })
        .collect();
    edges.sort_unstable();
    edges
}

/// A Mermaid flow chart. Arrows point from the state that has a requisite to the state it names.
pub fn mermaid(dag: &Dag) -> String {
    let mut out = String::from("flowchart TD\n");
    for (number, index) in dag.schedule.iter().enumerate() {
        let Some(node) = dag.graph.node_weight(*index) else { continue };
        let mut text = String::new();
        for c in label(node).chars() {
            match c {
                '"' => text.push_str("#quot;"),
                '#' => text.push_str("#35;"),
                '<' => text.push_str("#lt;"),
                '>' => text.push_str("#gt;"),
                c if c.is_control() => text.push(' '),
                c => text.push(c),
            }
        }
        let _ = writeln!(out, "    s{number}[\"{text}\"]");
    }
    for (from, to, word) in edges(dag) {
        let _ = writeln!(out, "    s{from} -->|{word}| s{to}");
    }
    out
}

/// A Graphviz digraph. Arrows point from the state that has a requisite to the state it names.
pub fn dot(dag: &Dag) -> String {
    let mut out = String::from("digraph plan {\n    node [shape=box];\n");
    for (number, index) in dag.schedule.iter().enumerate() {
        let Some(node) = dag.graph.node_weight(*index) else { continue };
        let text: String = label(node).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        let _ = writeln!(out, "    s{number} [label=\"{text}\"];");
    }
    for (from, to, word) in edges(dag) {
        let _ = writeln!(out, "    s{from} -> s{to} [label=\"{word}\"];");
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::super::encode::tests::sample;

    #[test]
    fn arrows_point_to_what_is_required() {
        let mut dag = sample();
        let first = dag.schedule[0];
        dag.graph[first].id = "a \"b\" # <c>\n".to_owned();
        let mermaid = super::mermaid(&dag);
        assert!(mermaid.contains("s1 -->|require| s0"), "{mermaid}");
        assert!(mermaid.contains("a #quot;b#quot; #35; #lt;c#gt; "), "{mermaid}");
        let dot = super::dot(&dag);
        assert!(dot.contains("s1 -> s0 [label=\"require\"];") && dot.contains("a \\\"b\\\" # <c> "), "{dot}");
    }
}
