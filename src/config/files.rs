//! The files of a configuration: which they are, and by their metadata whether they have changed.
//!
//! Looking beats listening here: the `..data` link of a ConfigMap, an editor's rename and a mount over
//! the folder all end an inotify watch of the file without a word. A look costs one `stat` a file, and
//! links are resolved anew each time.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The files that a configuration names. They do not print: what stands there may be a secret that was
/// put into the wrong place.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NamedFiles(pub Vec<PathBuf>);

impl fmt::Debug for NamedFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} files", self.0.len())
    }
}

/// What the files looked like at one moment. Another fingerprint is another look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(Vec<Option<Look>>);

/// One file; the times in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    resolved: PathBuf,
    device: u64,
    inode: u64,
    size: u64,
    modified: i128,
    /// Also what keeps the time of modification (`cp -p`, `rsync`) changes this one.
    changed: i128,
}

impl Fingerprint {
    /// Looks at these files. One that is not there is a look, too.
    pub fn of<'a>(files: impl IntoIterator<Item = &'a Path>) -> Self {
        Self(files.into_iter().map(Look::at).collect())
    }
}

impl Look {
    fn at(file: &Path) -> Option<Self> {
        let resolved = fs::canonicalize(file).ok()?;
        let found = fs::metadata(&resolved).ok()?;
        let nanoseconds =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Some(Self {
            resolved,
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: nanoseconds(found.mtime(), found.mtime_nsec()),
            changed: nanoseconds(found.ctime(), found.ctime_nsec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn every_way_of_replacing_a_file_is_another_look() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let look = || Fingerprint::of([file.as_path()]);
        let mut seen = vec![look()];
        let mut changed = |how: &str| {
            let look = look();
            assert!(!seen.contains(&look), "{how}");
            seen.push(look);
        };
        fs::write(&file, "one").unwrap();
        changed("made");
        let other = folder.path().join("other");
        fs::write(&other, "two").unwrap();
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        fs::File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
        fs::rename(&other, &file).unwrap();
        changed("renamed to, with the old time and size");
        for version in ["..1", "..2", "..3"] {
            let data = folder.path().join(version);
            fs::create_dir(&data).unwrap();
            fs::write(data.join("gateway.toml"), "one").unwrap();
            if version == "..1" {
                fs::remove_file(&file).unwrap();
                symlink("..data/gateway.toml", &file).unwrap();
            }
            symlink(version, folder.path().join("..tmp")).unwrap();
            fs::rename(folder.path().join("..tmp"), folder.path().join("..data")).unwrap();
            changed(version);
        }
        fs::remove_dir_all(folder.path().join("..3")).unwrap();
        assert_eq!(look(), Fingerprint(vec![None]), "gone");
    }
}
