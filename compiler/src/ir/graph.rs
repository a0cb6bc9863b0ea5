//! Pictures: Mermaid, Graphviz and text; of a plan, and of anything that has boxes and arrows.

use super::{Dag, text::label};
use petgraph::{graph::NodeIndex, visit::EdgeRef};
use std::{collections::HashMap, fmt::Write};

/// Boxes and arrows between them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Picture {
    /// What stands in each box.
    pub boxes: Vec<String>,
    /// From, to (indices of boxes), and the word on the arrow.
    pub arrows: Vec<(usize, usize, &'static str)>,
}

impl Picture {
    /// The states of a plan in the order of execution. Arrows point from the state that has a requisite to the state it
    /// names.
    pub fn of_plan(dag: &Dag) -> Self {
        let turn: HashMap<NodeIndex, usize> = dag.schedule.iter().enumerate().map(|(i, n)| (*n, i)).collect();
        let mut arrows: Vec<(usize, usize, &'static str)> = dag
            .schedule
            .iter()
            .flat_map(|n| dag.graph.edges(*n))
            .filter_map(|e| {
                let word = crate::lower::document::requisite_name(e.weight().requisite);
                Some((*turn.get(&e.source())?, *turn.get(&e.target())?, word))
            })
            .collect();
        arrows.sort_unstable();
        let boxes = dag.schedule.iter().map(|n| dag.graph.node_weight(*n).map(label).unwrap_or_default());
        Self { boxes: boxes.collect(), arrows }
    }

    /// A Mermaid flow chart.
    pub fn mermaid(&self) -> String {
        let mut out = String::from("flowchart TD\n");
        for (number, of) in self.boxes.iter().enumerate() {
            let mut text = String::new();
            for c in of.chars() {
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
        for (from, to, word) in &self.arrows {
            let _ = writeln!(out, "    s{from} -->|{word}| s{to}");
        }
        out
    }

    /// A Graphviz digraph.
    pub fn dot(&self) -> String {
        let mut out = String::from("digraph plan {\n    node [shape=box];\n");
        for (number, of) in self.boxes.iter().enumerate() {
            let text = plain(of).replace('\\', "\\\\").replace('"', "\\\"");
            let _ = writeln!(out, "    s{number} [label=\"{text}\"];");
        }
        for (from, to, word) in &self.arrows {
            let _ = writeln!(out, "    s{from} -> s{to} [label=\"{word}\"];");
        }
        out.push_str("}\n");
        out
    }

    /// One line for each box, its arrows indented below it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for (number, of) in self.boxes.iter().enumerate() {
            let _ = writeln!(out, "{}", plain(of));
            for (_, to, word) in self.arrows.iter().filter(|(from, ..)| *from == number) {
                let target = self.boxes.get(*to).map(|b| plain(b)).unwrap_or_default();
                let _ = writeln!(out, "    {word}: {target}");
            }
        }
        out
    }
}

fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::encode::tests::sample, *};

    #[test]
    fn arrows_point_to_what_is_required() {
        let mut dag = sample();
        let first = dag.schedule[0];
        dag.graph[first].id = "a \"b\" # <c>\n".to_owned();
        let picture = Picture::of_plan(&dag);
        let mermaid = picture.mermaid();
        assert!(mermaid.contains("s1 -->|require| s0"), "{mermaid}");
        assert!(mermaid.contains("a #quot;b#quot; #35; #lt;c#gt; "), "{mermaid}");
        let dot = picture.dot();
        assert!(dot.contains("s1 -> s0 [label=\"require\"];") && dot.contains("a \\\"b\\\" # <c> "), "{dot}");
        let text = picture.text();
        assert!(text.contains("service.running nginx\n    require: pkg.installed a \"b\" # <c> "), "{text}");
    }
}
