//! The peel's journal: a file of records, each with its length and checksum, that survives a kill at any moment.
//!
//! A torn last record is cut off: it was never acknowledged to anybody. Damage before the end means that somebody else wrote here or the disk
//! fails; the file is put aside and its readable beginning goes on.

use super::ledger::Record;
use crate::bus::codec::{self, CodecError};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What a journal begins with.
const MAGIC: &[u8; 8] = b"zestjrn1";
/// Length and checksum of a record, each 4 bytes, little end first.
const HEADER: usize = 8;
/// The largest record, in bytes; a message is no larger.
const MAX_RECORD: usize = 16 << 20;
/// A journal is written anew above this size, in bytes, if most of it is past.
const COMPACT_ABOVE: u64 = 1 << 20;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refuses.
    #[error("the journal `{}` cannot be {doing}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read or write it.
    #[error("the journal `{}` is open to others (mode {mode:o}, owner {owner}); it must be this user's alone, mode 600", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// Its owner's number.
        owner: u32,
    },
    /// Another process has it.
    #[error("the journal `{}` is in use by another peel", .0.display())]
    InUse(PathBuf),
    /// Not a journal, or one of a later version.
    #[error("`{}` is not a journal that this version reads", .0.display())]
    Foreign(PathBuf),
    /// A record cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// An append failed before; what is on the disk is not known until a restart.
    #[error("the journal `{}` failed before; restart the peel", .0.display())]
    Poisoned(PathBuf),
}

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
    /// Of the records when it was last written anew.
    base: u64,
    poisoned: bool,
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// For appending.
    pub journal: Journal,
    /// What was put down so far.
    pub records: Vec<Record>,
    /// Where a damaged file was put aside.
    pub damaged: Option<PathBuf>,
}

impl Journal {
    /// Opens or makes one.
    pub fn open(path: &Path) -> Result<Opened, JournalError> {
        let io = |doing| move |source| JournalError::Io { path: path.to_owned(), doing, source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(path)
            .map_err(io("opened"))?;
        let metadata = file.metadata().map_err(io("read"))?;
        let mine = rustix::process::geteuid().as_raw();
        if metadata.mode() & 0o077 != 0 || metadata.uid() != mine {
            let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
            return Err(JournalError::Exposed { path: path.to_owned(), mode, owner });
        }
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| JournalError::InUse(path.to_owned()))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io("read"))?;
        if bytes.len() < MAGIC.len() && MAGIC.starts_with(&bytes) {
            // New, or cut off while it was made.
            file.set_len(0).and_then(|()| file.rewind()).map_err(io("written"))?;
            file.write_all(MAGIC).and_then(|()| file.sync_all()).map_err(io("written"))?;
            sync_directory(path).map_err(io("written"))?;
            let bytes = MAGIC.len() as u64;
            let journal = Self { path: path.to_owned(), file, bytes, base: bytes, poisoned: false };
            return Ok(Opened { journal, records: Vec::new(), damaged: None });
        }
        if !bytes.starts_with(MAGIC) {
            return Err(JournalError::Foreign(path.to_owned()));
        }
        let (records, good, torn) = read(&bytes);
        let end = good as u64;
        let mut journal = Self { path: path.to_owned(), file, bytes: end, base: end, poisoned: false };
        let mut damaged = None;
        if good < bytes.len() && !torn {
            let aside = path.with_extension("damaged");
            fs::copy(path, &aside).map_err(io("put aside"))?;
            damaged = Some(aside);
        }
        if good < bytes.len() {
            journal.file.set_len(end).and_then(|()| journal.file.sync_all()).map_err(io("repaired"))?;
        }
        journal.file.seek(SeekFrom::Start(end)).map_err(io("read"))?;
        Ok(Opened { journal, records, damaged })
    }

    /// Appends records; they are on the disk when this returns if one of them [must be](Record::must_sync).
    pub fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned(self.path.clone()));
        }
        let mut bytes = Vec::new();
        for record in records {
            frame(record, &mut bytes)?;
        }
        let sync = records.iter().any(Record::must_sync);
        let written =
            self.file.write_all(&bytes).and_then(|()| if sync { self.file.sync_data() } else { Ok(()) });
        if let Err(source) = written {
            // A full disk: take back what was written in part, so that a later append begins at a clean end.
            let undone =
                self.file.set_len(self.bytes).and_then(|()| self.file.seek(SeekFrom::Start(self.bytes)));
            self.poisoned = undone.is_err();
            return Err(JournalError::Io { path: self.path.clone(), doing: "written", source });
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Whether most of the file is past and it should be [written anew](Self::rewrite).
    pub fn is_long(&self) -> bool {
        self.bytes > COMPACT_ABOVE && self.bytes > 4 * self.base
    }

    /// Replaces the file by these records, atomically.
    pub fn rewrite(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let path = self.path.clone();
        let io = |doing| move |source| JournalError::Io { path: path.clone(), doing, source };
        let mut bytes = MAGIC.to_vec();
        for record in records {
            frame(record, &mut bytes)?;
        }
        let directory = self.path.parent().unwrap_or(Path::new("."));
        let mut temporary = tempfile::Builder::new()
            .prefix(".journal")
            .tempfile_in(directory)
            .map_err(io.clone()("written anew"))?;
        let lock = |file: &File| {
            rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
                .map_err(io::Error::from)
        };
        let written = lock(temporary.as_file())
            .and_then(|()| temporary.write_all(&bytes))
            .and_then(|()| temporary.as_file().sync_all());
        written.map_err(io.clone()("written anew"))?;
        let file = temporary.persist(&self.path).map_err(|e| io.clone()("written anew")(e.error))?;
        sync_directory(&self.path).map_err(io("written anew"))?;
        self.file = file;
        self.bytes = bytes.len() as u64;
        self.base = self.bytes;
        self.poisoned = false;
        Ok(())
    }
}

/// The records of a journal, the offset after the last good one, and whether what follows is one torn record at the end.
fn read(bytes: &[u8]) -> (Vec<Record>, usize, bool) {
    let (mut records, mut at) = (Vec::new(), MAGIC.len());
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((header, body)) = rest.split_at_checked(HEADER) else { return (records, at, true) };
        let number = |range: std::ops::Range<usize>| {
            header.get(range).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
        };
        let (length, checksum) = (number(0..4) as usize, number(4..8));
        let torn = length > body.len() && length <= MAX_RECORD;
        let Some(body) = body.get(..length).filter(|_| length <= MAX_RECORD) else {
            return (records, at, torn);
        };
        let last = rest.len() == HEADER + length;
        if crc32fast::hash(body) != checksum {
            // Blocks reach the disk in any order: a last record may have its length and not its bytes.
            return (records, at, last);
        }
        let Ok(record) = codec::decode(body) else { return (records, at, false) };
        records.push(record);
        at += HEADER + length;
    }
}

fn frame(record: &Record, into: &mut Vec<u8>) -> Result<(), CodecError> {
    let body = codec::encode(record)?;
    into.extend_from_slice(&(body.len() as u32).to_le_bytes());
    into.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    into.extend_from_slice(&body);
    Ok(())
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bus::id::{JobId, MasterId},
        job::{ledger::Accepted, message::Call},
    };

    fn accepted(name: &str) -> Record {
        Record::Accepted(Box::new(Accepted {
            jid: JobId::new(name).unwrap(),
            epoch: 1,
            master: MasterId::new("m").unwrap(),
            digest: vec![7; 32],
            expires_ms: 5,
            call: Call { function: "test.ping".into(), ..Call::default() },
            tree: None,
            own: None,
        }))
    }

    fn stored(name: &str) -> Record {
        Record::Stored { jid: JobId::new(name).unwrap() }
    }

    #[test]
    fn cut_at_any_byte_the_records_before_are_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let records = [accepted("a"), stored("a"), accepted("b")];
        let mut ends = vec![MAGIC.len()];
        {
            let mut journal = Journal::open(&path).unwrap().journal;
            for record in &records {
                journal.append(std::slice::from_ref(record)).unwrap();
                ends.push(journal.bytes as usize);
            }
        }
        let whole = fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let mut opened = Journal::open(&path).unwrap();
            let good = ends.iter().filter(|&&e| e <= cut).count().saturating_sub(1);
            assert_eq!(opened.records, records[..good], "cut at {cut}");
            assert!(opened.damaged.is_none());
            opened.journal.append(&[stored("c")]).unwrap();
            drop(opened);
            let again = Journal::open(&path).unwrap();
            assert_eq!(again.records.last(), Some(&stored("c")));
            assert_eq!(again.records.len(), good + 1);
        }
    }

    #[test]
    fn damage_in_the_middle_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::open(&path).unwrap().journal;
        journal.append(&[accepted("a"), accepted("b"), accepted("c")]).unwrap();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        let middle = whole.len() / 2;
        let mut bytes = whole.clone();
        bytes[middle] ^= 1;
        fs::write(&path, &bytes).unwrap();
        let opened = Journal::open(&path).unwrap();
        assert_eq!(opened.records, [accepted("a")]);
        assert_eq!(fs::read(opened.damaged.unwrap()).unwrap(), bytes);
    }

    #[test]
    fn one_peel_a_journal_and_nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut open = Journal::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse(_))));
        open.journal.rewrite(&[accepted("a")]).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse(_))));
        open.journal.append(&[stored("a")]).unwrap();
        drop(open);
        assert_eq!(Journal::open(&path).unwrap().records, [accepted("a"), stored("a")]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Exposed { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "something else").unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Foreign(_))));
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Journal::open(&link).is_err());
    }
}
