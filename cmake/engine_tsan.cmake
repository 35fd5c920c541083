# With -DCLEAT_ENGINE_TSAN=ON (and CLEAT_SANITIZE=thread) the Rust archive and Rust's own library in it are instrumented
# too, so that TSan sees their locks, channels and reference counts. rustc can do so on its stable releases with
# RUSTC_BOOTSTRAP=1; it needs the sources of its library (Debian: rust-web-src).
execute_process(COMMAND ${CLEAT_RUSTC} --print sysroot OUTPUT_VARIABLE rust_sysroot OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT EXISTS ${rust_sysroot}/lib/rustlib/src/rust/library/Cargo.lock)
  message(FATAL_ERROR "${CLEAT_RUSTC} comes without the sources of its library, which must be built with TSan here. "
                      "On Debian 12: apt-get install rustc-web cargo-web rust-web-src, then "
                      "-DCLEAT_RUSTC=/usr/bin/rustc -DCLEAT_CARGO=/usr/bin/cargo.")
endif()
execute_process(COMMAND ${CLEAT_RUSTC} -vV OUTPUT_VARIABLE rust_host)
string(REGEX MATCH "host: ([^\n]+)" rust_host "${rust_host}")
set(rust_host ${CMAKE_MATCH_1})
# Without link-time optimization, so that functions keep their names in reports.
list(PREPEND engine_options RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=thread CARGO_PROFILE_RELEASE_LTO=off
     CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_DEBUG=1)
list(APPEND engine_options --target ${rust_host} -Zbuild-std=std,panic_abort)
set(engine_built ${CLEAT_CARGO_TARGET_DIR}/${rust_host}/release/libcleat_engine.a)

# rustc's LLVM calls these three, the libtsan of gcc 12 has the plain ones only.
add_library(cleat_engine_tsan STATIC cmake/tsan_memory.c)
target_compile_options(cleat_engine_tsan PRIVATE -fno-builtin)
set(engine_runtime "cleat_engine_tsan;")
