//! A check that is repeated while its files change: `--watch`, the language server.

use super::{
    CheckError, CheckOptions, Report, driver::check_with, glance, memory::Memory, workspace::Workspace,
};
use crate::{diagnostic::Diagnostic, infer::Data, project::Project, query::Index, types::Registry};
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
        check_with(project, registry, options, &mut self.memory, &mut |_, _| {}, &|| false)
    }

    /// Checks the project, and gives what was read of it for questions of an editor. `previous` is what an earlier
    /// check of this session gave. `interrupted` is asked now and then whether the answer is still wanted.
    ///
    /// # Errors
    /// [`CheckError::Interrupted`] when it was not; what was found out until then is kept for the next check.
    pub fn check_indexed(
        &mut self,
        project: &Arc<Project>,
        registry: &Arc<Registry>,
        options: &CheckOptions,
        previous: Option<&Index>,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<(Report, Index), CheckError> {
        let mut index = None;
        let mut see = |workspace: &Workspace<'_>, data: &Arc<Data>| {
            index = Some(Index::of(project.clone(), registry.clone(), workspace, data.clone(), previous));
        };
        let report = check_with(project, registry, options, &mut self.memory, &mut see, interrupted)?;
        Ok((report, index.unwrap_or_else(|| Index::empty(project.clone(), registry.clone()))))
    }

    /// The findings in one file whose text has changed since the last check, without a look at the whole project:
    /// those of rules on single files are found in the new text, others are carried over from `before`, the file's
    /// findings of the last check that came to its end. `None` where the project must be checked to tell.
    pub fn glance(
        &mut self,
        project: &Project,
        registry: &Registry,
        path: &str,
        before: &[Diagnostic],
    ) -> Option<Vec<Diagnostic>> {
        glance::glance(project, registry, &mut self.memory, path, before)
    }
}
