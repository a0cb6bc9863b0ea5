//! The order of execution: topological over the requisites, then `order`, then definition; and circles.

use super::{resolve::Link, state::Prepared};
use crate::{
    check::requisites::{Step, cycle},
    diagnostic::Diagnostic,
    ir::Requisite,
};
use petgraph::{algo::tarjan_scc, graph::DiGraph};
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

/// Where `order` puts a state: before those without one, among them, or behind them. As in Salt a negative number
/// counts from the end.
fn rank(order: Option<i64>) -> (u8, i64) {
    match order {
        None => (1, 0),
        Some(n) if n <= super::attributes::ORDER_FIRST => (0, i64::MIN),
        Some(n) if n >= super::attributes::ORDER_LAST => (2, 0),
        Some(n) if n < 0 => (2, n),
        Some(n) => (0, n),
    }
}

/// Who must run before whom; `None` for requisites that do not order.
fn constraint(link: &Link) -> Option<(usize, usize)> {
    match link.requisite {
        // It reacts at the end of the run, wherever the two stand.
        Requisite::Listen => None,
        // A prerequisite looks at what would change, and runs before it does.
        Requisite::Prereq => Some((link.from, link.to)),
        _ => Some((link.to, link.from)),
    }
}

/// Indices of the states in order of execution, or the circles that keep them from having one.
pub(super) fn schedule(states: &[Prepared], links: &[Link]) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let mut after: Vec<Vec<u32>> = vec![Vec::new(); states.len()];
    let mut waiting = vec![0usize; states.len()];
    for (first, then) in links.iter().filter_map(constraint) {
        after[first].push(then as u32);
        waiting[then] += 1;
    }
    let key = |i: usize| Reverse((rank(states[i].node.attributes.order), i));
    let mut free: BinaryHeap<_> = (0..states.len()).filter(|i| waiting[*i] == 0).map(key).collect();
    let mut schedule = Vec::with_capacity(states.len());
    while let Some(Reverse((_, state))) = free.pop() {
        schedule.push(state);
        for then in &after[state] {
            let then = *then as usize;
            waiting[then] -= 1;
            if waiting[then] == 0 {
                free.push(key(then));
            }
        }
    }
    if schedule.len() == states.len() {
        return Ok(schedule);
    }
    Err(circles(states, links, &waiting))
}

/// One finding for each knot of states that wait for each other, with its shortest circle.
fn circles(states: &[Prepared], links: &[Link], waiting: &[usize]) -> Vec<Diagnostic> {
    let mut graph: DiGraph<usize, usize> = DiGraph::new();
    let nodes: Vec<_> = (0..states.len()).map(|i| (waiting[i] > 0).then(|| graph.add_node(i))).collect();
    for (index, link) in links.iter().enumerate() {
        if let Some((first, then)) = constraint(link)
            && let (Some(first), Some(then)) = (nodes[first], nodes[then])
        {
            // From the state that waits to the one it waits for.
            graph.add_edge(then, first, index);
        }
    }
    let mut knots: Vec<Vec<usize>> = tarjan_scc(&graph)
        .into_iter()
        .filter(|knot| knot.len() > 1)
        .map(|knot| {
            let mut members: Vec<usize> = knot.into_iter().map(|n| graph[n]).collect();
            members.sort_unstable();
            members
        })
        .collect();
    knots.sort();
    knots
        .iter()
        .filter_map(|knot| {
            let path = shortest(&graph, &nodes, knot)?;
            let steps: Vec<Step> = path.iter().map(|index| step(states, &links[*index])).collect();
            cycle(&steps)
        })
        .collect()
}

/// Links of the shortest circle through the first state of a knot.
fn shortest(
    graph: &DiGraph<usize, usize>,
    nodes: &[Option<petgraph::graph::NodeIndex>],
    knot: &[usize],
) -> Option<Vec<usize>> {
    use petgraph::visit::EdgeRef;
    let start = nodes[*knot.first()?]?;
    let mut came_from = vec![None; graph.node_count()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        let mut edges: Vec<_> = graph.edges(node).map(|e| (*e.weight(), e.target())).collect();
        edges.sort_unstable();
        for (link, target) in edges {
            if target == start {
                let mut path = vec![link];
                let mut at = node;
                while at != start {
                    let (link, previous) = came_from[at.index()]?;
                    path.push(link);
                    at = previous;
                }
                path.reverse();
                return Some(path);
            }
            if came_from[target.index()].is_none() {
                came_from[target.index()] = Some((link, node));
                queue.push_back(target);
            }
        }
    }
    None
}

fn step(states: &[Prepared], link: &Link) -> Step {
    let label = |i: usize| format!("{}: {}", states[i].node.function, states[i].node.id);
    let word = super::document::requisite_name(link.requisite);
    // A prerequisite's target waits for the state that has it.
    let (from, word, to) = match link.requisite {
        Requisite::Prereq => (link.to, "prereq_in", link.from),
        _ => (link.from, word, link.to),
    };
    Step { from: label(from), word, to: label(to), span: link.span }
}
