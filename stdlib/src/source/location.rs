//! One address of a source.

use crate::{Context, Failure, file::path};
use std::sync::Arc;

/// Where a source lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Location {
    /// A file or directory of the state tree.
    Tree {
        /// Environment.
        env: Arc<str>,
        /// Path in the tree.
        path: String,
    },
    /// A file of this machine.
    Machine(String),
    /// `http://` or `https://`.
    Web(String),
}

impl Location {
    /// Reads an address. `env` is the environment of the state tree where the address does not name one.
    pub(crate) fn parse(cx: &Context, text: &str, env: Option<&str>) -> Result<Self, Failure> {
        if let Some(rest) = text.strip_prefix("zester://").or_else(|| text.strip_prefix("salt://")) {
            return Self::tree(cx, text, rest, env);
        }
        if let Some(rest) = text.strip_prefix("file://") {
            return path::absolute(cx, rest).map(Self::Machine);
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Web(text.to_owned()));
        }
        if text.starts_with('/') || text.starts_with('~') {
            return path::absolute(cx, text).map(Self::Machine);
        }
        let Some((scheme, _)) = text.split_once("://") else {
            return Err(Failure::new(format!(
                "The source `{text}` is no address; a file of the state tree is `zester://{text}`, one of this machine begins with `/`"
            )));
        };
        let instead = match scheme {
            "ftp" | "ftps" => "ftp is not encrypted and not supported; serve the file over `https://`",
            "s3" => "fetch it over its `https://` address",
            "swift" | "svn" | "git" => "put the file into the state tree, or clone it with `git.latest`",
            _ => "use `zester://`, `file://`, `http://` or `https://`",
        };
        Err(Failure::new(format!("The source `{text}` has the scheme `{scheme}`: {instead}")))
    }

    fn tree(cx: &Context, text: &str, rest: &str, env: Option<&str>) -> Result<Self, Failure> {
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let named =
            query.split('&').find_map(|q| q.strip_prefix("saltenv=").or_else(|| q.strip_prefix("env=")));
        let env = named.or(env).map_or_else(|| cx.env.clone(), Arc::from);
        let path = path.trim_matches('/');
        if path.split('/').any(|segment| segment == "..") {
            return Err(Failure::new(format!("The source `{text}` leaves the state tree by `..`")));
        }
        Ok(Self::Tree { env, path: path.to_owned() })
    }

    /// The last name of the address.
    pub(crate) fn file_name(&self) -> &str {
        let path = match self {
            Self::Tree { path, .. } | Self::Machine(path) => path.as_str(),
            Self::Web(url) => url.split(['?', '#']).next().unwrap_or_default(),
        };
        path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn each_scheme_is_known_or_says_what_to_write() {
        let cx = FakeMachine::new().context();
        let parse = |text| Location::parse(&cx, text, None);
        assert_eq!(
            parse("salt://a/b.conf").unwrap(),
            Location::Tree { env: "base".into(), path: "a/b.conf".into() }
        );
        assert_eq!(
            parse("zester://a?saltenv=dev").unwrap(),
            Location::Tree { env: "dev".into(), path: "a".into() }
        );
        assert_eq!(parse("file:///a").unwrap(), Location::Machine("/a".into()));
        assert_eq!(parse("https://x/y/z.tar.gz?v=1").unwrap().file_name(), "z.tar.gz");
        assert!(parse("ftp://x/y").unwrap_err().message.contains("serve the file over `https://`"));
        assert!(parse("a/b").unwrap_err().message.contains("`zester://a/b`"));
        assert!(parse("salt://../etc/passwd").unwrap_err().message.contains("leaves the state tree"));
    }
}
