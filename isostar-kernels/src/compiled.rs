//! The place of compiled kernels and of tuning results on wgpu and CUDA.

use std::path::Path;

use burn::cubecl::config::cache::CacheConfig;
use burn::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

/// Keeps compiled kernels and tuning results of wgpu and CUDA in `folder`, for later processes.
///
/// Without this, they are lost when the process ends: each process compiles and tunes again, which
/// takes minutes. Several processes can share a folder. A `cubecl.toml` or `burn.toml` in the current
/// folder or above it takes precedence where it names a place (`[environment] path`).
///
/// Must be called before a device of wgpu or CUDA is used; returns false if it is too late.
pub fn keep_compiled_kernels(folder: &Path) -> bool {
    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    if matches!(config.environment.path, CacheConfig::Target) {
        config.environment.path = CacheConfig::Directory(folder.into());
    }
    config.compilation.cache = true;
    CubeClRuntimeConfig::try_set(config)
}
