//! Files that Git LFS has not fetched yet.

/// The first bytes of every Git LFS pointer: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Whether the file that begins with `bytes` is a Git LFS pointer: a few lines of text that stand for a file which `git lfs pull` fetches.
pub fn is_git_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(POINTER)
}
