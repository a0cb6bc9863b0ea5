//! What a container is made of, and making it.

use super::{
    client::{act, check_image, docker, inspect, text},
    networks::Networks,
    options::Options,
    rows::Rows,
};
use crate::{
    Context, Failure,
    provider::tool::{run, succeed},
    random,
};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use zester_compiler::types::{Seconds, Value};
use zester_stdlib_derive::Arguments;

/// The label that says what a container was made of: one that was made of the same is not suspected for what the daemon added.
pub(super) const LABEL: &str = "io.zester.made-of";

/// What a container is made of.
#[derive(Arguments)]
#[shared]
pub(super) struct Recipe {
    /// The image; it is pulled where the machine has none.
    pub(super) image: String,
    /// Networks that it is in and no others: names, or maps of names to `aliases`, `ipv4_address`, `ipv6_address` and `links`.
    #[arg(ty = Type::Any)]
    networks: Option<Value>,
    /// How it is made.
    #[arg(flatten)]
    options: Options,
    /// How long the daemon may take to answer.
    #[arg(inert = "`timeout` does this for every function")]
    client_timeout: Option<Seconds>,
    /// Parameters that are not read.
    #[arg(inert = "every parameter is read in all its forms")]
    skip_translate: Option<Value>,
    /// Whether two names of a parameter may be given.
    #[arg(inert = "two names of one parameter are always an error")]
    ignore_collisions: Option<bool>,
    /// Whether addresses are checked.
    #[arg(inert = "the daemon checks them")]
    validate_ip_addrs: Option<bool>,
}

/// The words of `docker create`, and how they compare with a container.
pub(super) struct Read<'i> {
    /// The options.
    pub(super) rows: Rows<'i>,
    /// What stands behind the image.
    command: Vec<String>,
    /// The networks, where any are named.
    pub(super) networks: Option<Networks>,
}

impl Read<'_> {
    /// A short text that is another for other words. Networks are not among them: they change without a new container.
    pub(super) fn digest(&self, image: &str) -> String {
        let mut hash = Sha256::new();
        // The variables' values are in the rows alone.
        let env = self.rows.all.iter().find(|row| row.name == "environment");
        let env = env.map(|row| row.wanted.to_string()).unwrap_or_default();
        let options = self.rows.words.iter().map(String::as_str);
        let words = options.chain([""]).chain(self.command.iter().map(String::as_str));
        for part in [image, &env].into_iter().chain(words) {
            hash.update(format!("{}:{part};", part.len()));
        }
        random::hex(&hash.finalize()).chars().take(32).collect()
    }
}

impl Recipe {
    /// The image, where the machine has it.
    pub(super) fn find_image(&self, cx: &Context) -> Result<Option<Json>, Failure> {
        check_image(&self.image)?;
        inspect(cx, "image", &self.image)
    }

    /// Fetches the image.
    pub(super) fn pull(&self, cx: &Context) -> Result<(), Failure> {
        act(cx, ["pull", "--quiet", &self.image])
    }

    /// What it says, beside what a container has.
    pub(super) fn read<'i>(
        &self,
        image: Option<&'i Json>,
        container: Option<&'i Json>,
    ) -> Result<Read<'i>, Failure> {
        let (rows, command) = self.options.rows(image, container, LABEL)?;
        let networks = self.networks.as_ref().map(Networks::of).transpose()?;
        Ok(Read { rows, command, networks })
    }

    /// Whether a container of it goes away when it ends.
    pub(super) fn removes_itself(&self) -> bool {
        self.options.auto_remove()
    }

    /// Makes a container and puts it into its networks; it does not run yet. When that fails there is none. One that is to `stay` is there when it has
    /// ended, whatever `auto_remove` says.
    pub(super) fn create(&self, cx: &Context, name: &str, stay: bool) -> Result<(), Failure> {
        let image = self
            .find_image(cx)?
            .ok_or_else(|| Failure::new(format!("the image `{}` was pulled and is not there", self.image)))?;
        let read = self.read(Some(&image), None)?;
        let mut words = vec!["create".to_owned(), format!("--name={name}")];
        words.push(format!("--label={LABEL}={}", read.digest(text(&image, "/Id"))));
        words.extend(read.rows.words.iter().filter(|word| !stay || *word != "--rm").cloned());
        if let Some(first) = read.networks.as_ref().and_then(Networks::first) {
            words.push(format!("--network={first}"));
        }
        words.push(self.image.clone());
        words.extend(read.command.iter().cloned());
        succeed(cx, read.rows.with_variables(docker(cx, words)))?;
        let Some(networks) = &read.networks else { return Ok(()) };
        let joined = inspect(cx, "container", name)
            .and_then(|made| networks.difference(made.as_ref()).apply(cx, name, made.as_ref()));
        if joined.is_err() {
            // That it cannot be removed says nothing new.
            let _ = run(cx, docker(cx, ["rm", "--force", name]));
        }
        joined
    }
}
