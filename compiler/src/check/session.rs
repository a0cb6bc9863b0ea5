//! A check that is repeated while its files change: `--watch`, the language server.

use super::{CheckError, CheckOptions, Report, driver::check_with, memory::Memory, workspace::Workspace};
use crate::{infer::Data, project::Project, query::Index, types::Registry};
use std::sync::Arc;

/// Remembers what an earlier check found out, so that the next one only does what a change makes necessary.
///
/// A session belongs to one project and one registry. Whoever sees a file change tells the project
/// ([`Project::forget`]) and, where the project reads from a [`Snapshot`](crate::source::Snapshot), that too; a
/// changed configuration is another project and another session. A repeated check reports what a fresh one would.
///
/// ```
/// use std::sync::Arc;
/// use zester_compiler::{check, project::{OpenOptions, Project}, source::MemorySources, types::Registry};
///
/// let sources = MemorySources::new().with("states/web.zy", "include: [nowhere]\n");
/// let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
/// let registry = Registry::default();
/// let mut session = check::Session::new();
/// let first = session.check(&project, &registry, &check::CheckOptions::default()).unwrap();
/// let again = session.check(&project, &registry, &check::CheckOptions::default()).unwrap();
/// assert_eq!(first.diagnostics, again.diagnostics);
/// ```
#[derive(Default)]
pub struct Session {
    memory: Memory,
}

impl Session {
    /// A session that knows nothing yet: its first check reads everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the project, as [`check`](super::check) does.
    pub fn check(
        &mut self,
        project: &Project,
        registry: &Registry,
        options: &CheckOptions,
    ) -> Result<Report, CheckError> {
        check_with(project, registry, options, &mut self.memory, &mut |_, _| {})
    }

    /// Checks the project, and gives what was read of it for questions of an editor. `previous` is what an earlier
    /// check of this session gave.
    pub fn check_indexed(
        &mut self,
        project: &Arc<Project>,
        registry: &Arc<Registry>,
        options: &CheckOptions,
        previous: Option<&Index>,
    ) -> Result<(Report, Index), CheckError> {
        let mut index = None;
        let mut see = |workspace: &Workspace<'_>, data: &Arc<Data>| {
            index = Some(Index::of(project.clone(), registry.clone(), workspace, data.clone(), previous));
        };
        let report = check_with(project, registry, options, &mut self.memory, &mut see)?;
        Ok((report, index.unwrap_or_else(|| Index::empty(project.clone(), registry.clone()))))
    }
}
