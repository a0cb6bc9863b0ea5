//! `x509.*`: private keys, certificates and requests for them, made with the `openssl` of the machine.
//!
//! Whether a certificate is as wanted is seen by making one: what `openssl` says of both must be the same but for serial number and times.
//! Keys and phrases are never on a command line: keys go through files that only root can read, phrases through the environment.

mod certificate;
mod csr;
mod extensions;
mod openssl;
mod pem;
mod private_key;
mod subject;

use crate::{
    Changes, Context, Failure, Library, Plan,
    file::{
        attributes::{Attributes, FileMode},
        backup::Backup,
        desired::Desired,
        diff::Show,
        path,
    },
};
use zester_compiler::types::{Group, User, Value};
use zester_stdlib_derive::Arguments;

/// Adds the functions of this module.
pub(crate) fn register(library: &mut Library) {
    library
        .state::<private_key::Managed>()
        .state::<certificate::Managed>()
        .state::<csr::Managed>()
        .state::<pem::Managed>();
}

/// Of files that hold a private key.
const KEY_MODE: u32 = 0o600;

/// The file that holds it.
#[derive(Arguments)]
#[shared]
pub(super) struct File {
    /// How it is written.
    #[arg(default = "pem", one_of("pem"))]
    encoding: String,
    /// Owner.
    user: Option<User>,
    /// Group.
    group: Option<Group>,
    /// Permission bits; a new key is `0600`, anything else `0644`.
    mode: Option<FileMode>,
    /// Whether missing parent directories are made.
    #[arg(default = false)]
    makedirs: bool,
    /// Permission bits of parents that are made.
    dir_mode: Option<FileMode>,
    /// Keeps a copy of the old file: `minion` (below the cache directory), or a suffix such as `.bak`.
    backup: Backup,
}

impl File {
    /// Plans the file with this content; none leaves the content as it is. What the plan shows of a new content is `shown`.
    fn plan(
        &self,
        cx: &Context,
        target: String,
        content: Option<Vec<u8>>,
        default_mode: u32,
        shown: Option<Changes>,
    ) -> Result<Plan<'static>, Failure> {
        if self.encoding != "pem" {
            return Err(Failure::new(format!("`encoding` is `pem`, not `{}`", self.encoding)));
        }
        let stat = path::stat(cx, &target, true)?;
        // What is there keeps its mode unless the author says otherwise, and a key that everybody can read is none.
        let secret = default_mode == KEY_MODE;
        let given = self.mode.and_then(FileMode::bits);
        let mode = given.or_else(|| (stat.is_none() || secret).then_some(default_mode));
        let attributes = Attributes::resolve(cx, self.user.as_deref(), self.group.as_deref(), mode)?;
        let makedirs = self.makedirs.then(|| {
            path::directory_mode(self.dir_mode.and_then(FileMode::bits), if secret { None } else { mode })
        });
        let desired = Desired {
            content,
            attributes,
            stat,
            makedirs,
            backup: self.backup.clone(),
            show: if secret { Show::Secret } else { Show::Hidden },
            ..Desired::content(target, Vec::new())
        };
        let mut plan = desired.plan(cx)?;
        if let Some(shown) = shown {
            plan.changes.shift_remove("diff");
            plan.changes.extend(shown);
        }
        Ok(plan)
    }
}

/// Whether a text is PEM itself and not the path of a file.
fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN ")
}

/// What has changed in what `openssl` says.
fn differences(old: Option<&str>, new: &str) -> Changes {
    let Some(old) = old else {
        return Changes::from_iter([("created".to_owned(), Value::from(new.trim_end()))]);
    };
    let diff = crate::file::diff::describe(old.as_bytes(), new.as_bytes(), Show::Diff);
    Changes::from_iter([("diff".to_owned(), Value::from(diff))])
}

#[cfg(test)]
mod tests;
