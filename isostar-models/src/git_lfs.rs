//! Detection of Git LFS pointers: files that Git LFS has not downloaded yet.

/// The first bytes of every Git LFS pointer: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Whether a file that begins with `bytes` is a Git LFS pointer: a short text that takes the place
/// of a file until `git lfs pull` downloads it.
pub(crate) fn is_git_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.starts_with(POINTER)
}
