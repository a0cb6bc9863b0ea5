//! The variables that a place in a template sees, and what is known of them there.
//!
//! Branches and loops are walked one after the other over one table; a trail of what each changed is rolled back at its
//! end, so that a file of many branches costs what is in them and no more.

use super::ty::Ty;
use std::collections::HashMap;

/// What a variable was before a change.
struct Change<'t> {
    name: &'t str,
    before: Option<Ty>,
}

/// Something that is known of a path (`settings.nginx.port`) behind a condition.
struct Known {
    path: String,
    /// What it is there; nothing when a change made everything below the path unknown again.
    ty: Option<Ty>,
}

/// Variables with their types.
#[derive(Default)]
pub struct Env<'t> {
    variables: HashMap<&'t str, Ty>,
    trail: Vec<Change<'t>>,
    known: Vec<Known>,
}

/// A point to go back to.
#[derive(Clone, Copy)]
pub struct Mark {
    trail: usize,
    known: usize,
}

impl<'t> Env<'t> {
    /// The type of a variable.
    pub fn get(&self, name: &str) -> Option<&Ty> {
        self.variables.get(name)
    }

    /// Gives a variable a value.
    pub fn assign(&mut self, name: &'t str, ty: Ty) {
        let before = self.variables.insert(name, ty);
        self.trail.push(Change { name, before });
        self.forget(name);
    }

    /// Makes what is known of a path, and of everything below it, unknown again.
    pub fn forget(&mut self, path: &str) {
        if self.known.iter().any(|k| is_below(&k.path, path)) {
            self.known.push(Known { path: path.to_owned(), ty: None });
        }
    }

    /// Notes what a condition says of a path.
    pub fn know(&mut self, path: String, ty: Ty) {
        self.known.push(Known { path, ty: Some(ty) });
    }

    /// What conditions say of a path.
    pub fn known(&self, path: &str) -> Option<&Ty> {
        for known in self.known.iter().rev() {
            match &known.ty {
                Some(ty) if known.path == path => return Some(ty),
                None if is_below(path, &known.path) => return None,
                _ => {}
            }
        }
        None
    }

    /// Whether conditions say anything at all.
    pub fn knows_anything(&self) -> bool {
        !self.known.is_empty()
    }

    /// A point to come back to.
    pub fn mark(&self) -> Mark {
        Mark { trail: self.trail.len(), known: self.known.len() }
    }

    /// Goes back, and gives the variables that were changed since then with their last types.
    pub fn rollback(&mut self, mark: Mark) -> HashMap<&'t str, Ty> {
        let mut changed = HashMap::new();
        for Change { name, before } in self.trail.drain(mark.trail..).rev() {
            let last = match before {
                Some(before) => self.variables.insert(name, before),
                None => self.variables.remove(name),
            };
            // The first one met is the last change: what is met later lies before it.
            if let Some(last) = last {
                changed.entry(name).or_insert(last);
            }
        }
        self.known.truncate(mark.known);
        changed
    }

    /// Joins what the branches of a block changed: each variable is what one of them left, or what it was before where
    /// not all of them changed it.
    pub fn join(&mut self, branches: Vec<HashMap<&'t str, Ty>>) {
        let mut names: Vec<&'t str> = branches.iter().flat_map(|b| b.keys().copied()).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let before = self.variables.get(name).cloned().unwrap_or(Ty::Never);
            let types = branches.iter().map(|b| b.get(name).cloned().unwrap_or_else(|| before.clone()));
            let ty = Ty::union(types);
            if self.variables.get(name) != Some(&ty) {
                self.assign(name, ty);
            }
        }
    }
}

/// Whether a path is another one or lies below it.
fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_join_to_what_each_left() {
        let mut env = Env::default();
        env.assign("x", Ty::INT);
        let mark = env.mark();
        env.assign("x", Ty::STR);
        env.assign("x", Ty::text("a"));
        env.assign("y", Ty::Null);
        let then = env.rollback(mark);
        assert_eq!(env.get("x"), Some(&Ty::INT));
        assert_eq!(env.get("y"), None);
        env.join(vec![then, HashMap::new()]);
        assert_eq!(env.get("x").unwrap().to_string(), "\"a\" | int");
        assert_eq!(env.get("y"), Some(&Ty::Null));
    }

    #[test]
    fn what_is_known_ends_with_a_change() {
        let mut env = Env::default();
        env.know("a.b".to_owned(), Ty::STR);
        assert_eq!(env.known("a.b"), Some(&Ty::STR));
        let mark = env.mark();
        env.assign("a", Ty::DYNAMIC);
        assert_eq!(env.known("a.b"), None);
        env.rollback(mark);
        assert_eq!(env.known("a.b"), Some(&Ty::STR));
        env.forget("a.bc");
        assert_eq!(env.known("a.b"), Some(&Ty::STR));
    }
}
