//! Formats of archives, what is in one, and the programs that open it.

use crate::{Context, Failure, provider::Command};

/// A format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    /// tar, compressed or not: the program finds out by itself.
    Tar,
    /// zip.
    Zip,
    /// rar.
    Rar,
}

impl Format {
    /// The format a state names, else the one the file's name or its first bytes tell.
    pub(super) fn of(named: Option<&str>, source: &str, head: &[u8]) -> Result<Self, Failure> {
        match named {
            Some("tar") => return Ok(Self::Tar),
            Some("zip") => return Ok(Self::Zip),
            Some("rar") => return Ok(Self::Rar),
            _ => {}
        }
        let name = source.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
        let tar = [
            ".tar",
            ".tgz",
            ".tbz",
            ".tbz2",
            ".txz",
            ".tlz",
            ".tzst",
            ".tar.gz",
            ".tar.bz2",
            ".tar.xz",
            ".tar.lzma",
            ".tar.zst",
            ".tar.z",
        ];
        if tar.iter().any(|ending| name.ends_with(ending)) {
            return Ok(Self::Tar);
        }
        if [".zip", ".jar", ".war", ".whl"].iter().any(|ending| name.ends_with(ending))
            || head.starts_with(b"PK\x03\x04")
        {
            return Ok(Self::Zip);
        }
        if [".rar"].iter().any(|ending| name.ends_with(ending)) || head.starts_with(b"Rar!") {
            return Ok(Self::Rar);
        }
        let magic: [&[u8]; 5] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"\x1f\x9d"];
        if magic.iter().any(|m| head.starts_with(m)) || head.get(257..262) == Some(b"ustar") {
            return Ok(Self::Tar);
        }
        Err(Failure::new(format!(
            "The format of `{source}` cannot be told from its name; give `archive_format: tar` or `zip`"
        )))
    }

    /// The program for it and what installs it.
    fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Tar => ("tar", "tar"),
            Self::Zip => ("unzip", "unzip"),
            Self::Rar => ("unrar", "unrar"),
        }
    }

    /// Names of all members; directories end with a slash. One that would land outside the target is a failure.
    pub(super) fn members(
        self,
        cx: &Context,
        archive: &str,
        options: &Options,
    ) -> Result<Vec<String>, Failure> {
        let mut args: Vec<&str> = match self {
            Self::Tar => vec!["--list", "--file", archive],
            Self::Zip => vec!["-Z1", archive],
            Self::Rar => vec!["lb", "--", archive],
        };
        args.extend(options.list.iter().map(String::as_str));
        let mut command = self.command(cx, &args)?;
        // A member per line: a large archive has many, and each of them counts.
        command.output_limit = 64 * 1024 * 1024;
        let said = run(cx, &command, archive, "listed")?;
        let mut members = Vec::new();
        for name in said.lines().filter(|l| !l.is_empty()) {
            let plain = name.trim_start_matches("./");
            if plain.starts_with('/') || plain.split('/').any(|segment| segment == "..") {
                return Err(Failure::new(format!(
                    "The archive `{archive}` holds `{name}`, which would land outside the target; nothing is extracted"
                )));
            }
            if !plain.is_empty() {
                members.push(plain.to_owned());
            }
        }
        Ok(members)
    }

    /// Opens it into a directory.
    pub(super) fn extract(
        self,
        cx: &Context,
        archive: &str,
        into: &str,
        options: &Options,
    ) -> Result<(), Failure> {
        let mut args: Vec<String> = Vec::new();
        match self {
            Self::Tar => {
                args.push(format!("-x{}", options.short));
                args.extend(options.long.iter().cloned());
                args.extend(["--file", archive, "--directory", into].map(str::to_owned));
            }
            Self::Zip => {
                args.extend(["-q", "-o"].map(str::to_owned));
                args.extend(options.long.iter().cloned());
                if let Some(password) = &options.password {
                    args.extend(["-P".to_owned(), password.clone()]);
                }
                args.extend([archive, "-d", into].map(str::to_owned));
            }
            Self::Rar => {
                args.extend(["x", "-idp", "-o+"].map(str::to_owned));
                args.extend([archive.to_owned(), format!("{into}/")]);
            }
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let command = self.command(cx, &args)?;
        run(cx, &command, archive, "extracted").map(drop)
    }

    fn command(self, cx: &Context, args: &[&str]) -> Result<Command, Failure> {
        let (program, package) = self.program();
        if cx.machine.commands.find(program).is_none() {
            return Err(Failure::new(format!(
                "The program `{program}` is not installed; `pkg.installed: {package}` installs it"
            )));
        }
        let mut command = Command::new(program, args.iter().copied());
        command.timeout = cx.timeout;
        Ok(command)
    }
}

fn run(cx: &Context, command: &Command, archive: &str, what: &str) -> Result<String, Failure> {
    let said = cx
        .machine
        .commands
        .run(command, &cx.cancel)
        .map_err(|e| Failure::new(format!("The archive `{archive}` cannot be {what}: {e}")))?;
    if said.success() {
        return Ok(said.stdout);
    }
    Err(Failure::new(format!("The archive `{archive}` cannot be {what}: {}", crate::cmd::words(&said))))
}

/// `options` as they are given to the program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Options {
    /// Letters behind `-x`.
    short: String,
    /// Whole words.
    long: Vec<String>,
    /// For the listing.
    list: Vec<String>,
    /// Leading directories that are dropped.
    pub(super) strip: usize,
    /// Whether names are changed in a way that the listing does not tell.
    pub(super) renames: bool,
    password: Option<String>,
}

impl Options {
    /// Reads `options` (words, or letters for tar) and `list_options`.
    pub(super) fn read(options: &str, list: &str, password: Option<&str>) -> Self {
        let mut read = Self {
            list: list.split_whitespace().map(str::to_owned).collect(),
            password: password.map(str::to_owned),
            ..Self::default()
        };
        let mut words = options.split_whitespace();
        while let Some(word) = words.next() {
            let strip = word.strip_prefix("--strip-components=").or_else(|| word.strip_prefix("--strip="));
            if let Some(number) = strip {
                read.strip = number.parse().unwrap_or(0);
            } else if word == "--strip-components" || word == "--strip" {
                let number = words.next().unwrap_or("0");
                read.strip = number.parse().unwrap_or(0);
                read.long.push(format!("--strip-components={number}"));
                continue;
            }
            read.renames |= word.starts_with("--transform") || word.starts_with("--xform") || word == "-s";
            if word.starts_with("--") || (word.starts_with('-') && word.len() > 1) {
                // What says which archive, and that it is extracted, is said already.
                if !matches!(word, "-x" | "-f" | "--extract" | "--get") {
                    read.long.push(word.to_owned());
                }
            } else {
                read.short.extend(word.chars().filter(|c| c.is_ascii_alphabetic() && !"xftc".contains(*c)));
            }
        }
        read
    }

    /// Where a member lands; `None` when it is dropped.
    pub(super) fn lands(&self, member: &str) -> Option<String> {
        let mut rest = member.trim_end_matches('/');
        for _ in 0..self.strip {
            rest = rest.split_once('/')?.1;
        }
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn formats_are_told_from_names_and_bytes() {
        let of = |name, head: &[u8]| Format::of(None, name, head);
        assert_eq!(of("https://x/a-1.2.tar.gz?x=1", b"").unwrap(), Format::Tar);
        assert_eq!(of("/x/a.zip", b"").unwrap(), Format::Zip);
        assert_eq!(of("/x/a", b"\x1f\x8b\x08").unwrap(), Format::Tar);
        assert!(of("/x/a", b"hello").unwrap_err().message.contains("`archive_format: tar`"));
        assert_eq!(Format::of(Some("zip"), "/x/a.tar", b"").unwrap(), Format::Zip);
    }

    #[test]
    fn options_are_words_or_letters() {
        let options = Options::read("zv --strip-components=1 --exclude=x", "", None);
        assert_eq!(options.short, "zv");
        assert_eq!(options.long, ["--strip-components=1", "--exclude=x"]);
        assert_eq!(options.lands("a/b/c"), Some("b/c".to_owned()));
        assert_eq!(options.lands("a/"), None);
        assert_eq!(Options::read("--strip-components 2", "", None).strip, 2);
    }

    #[test]
    fn a_member_that_would_land_outside_is_refused() {
        let machine = FakeMachine::new();
        for bad in ["/etc/passwd", "a/../../etc/passwd"] {
            machine.commands.reply("tar --list", 0, &format!("a/ok\n{bad}\n"));
            let failure = Format::Tar.members(&machine.context(), "/x.tar", &Options::default()).unwrap_err();
            assert!(failure.message.contains("outside the target"), "{}", failure.message);
        }
        machine.commands.without("unzip");
        let failure = Format::Zip.members(&machine.context(), "/x.zip", &Options::default()).unwrap_err();
        assert!(failure.message.contains("`pkg.installed: unzip`"));
    }
}
