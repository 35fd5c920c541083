# The Rust crate src/raft/engine as the imported target cleat_engine. Needs Rust 1.80: cargo and rustc on PATH, or in
# ~/.cargo/bin. Several build folders can share cargo's work: -DCLEAT_CARGO_TARGET_DIR=/some/folder.
set(CLEAT_CARGO_TARGET_DIR "${CMAKE_BINARY_DIR}/cargo" CACHE PATH "Where cargo keeps what it builds")
set(engine_dir ${CMAKE_SOURCE_DIR}/src/raft/engine)

find_program(CLEAT_CARGO cargo HINTS $ENV{HOME}/.cargo/bin)
find_program(CLEAT_RUSTC rustc HINTS $ENV{HOME}/.cargo/bin)
set(rust_version "none")
if(CLEAT_CARGO AND CLEAT_RUSTC)
  execute_process(COMMAND ${CLEAT_RUSTC} --version WORKING_DIRECTORY ${engine_dir} OUTPUT_VARIABLE rust_version ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" rust_version "${rust_version}")
endif()
if(NOT rust_version OR rust_version STREQUAL "none" OR rust_version VERSION_LESS 1.80)
  message(FATAL_ERROR "Cleat's Raft engine is built with Rust 1.80 or newer; found: ${rust_version}. "
                      "On Debian 12: apt-get install rustc-web cargo-web. Elsewhere: a current cargo and rustc on PATH.")
endif()

set(engine_options RUSTC=${CLEAT_RUSTC} ${CLEAT_CARGO} rustc --release --locked --quiet --target-dir ${CLEAT_CARGO_TARGET_DIR})
set(engine_built ${CLEAT_CARGO_TARGET_DIR}/release/libcleat_engine.a)
if(CLEAT_ENGINE_TSAN)
  include(cmake/engine_tsan.cmake)
endif()

file(GLOB engine_sources CONFIGURE_DEPENDS ${engine_dir}/src/*.rs)
set(engine_archive ${CMAKE_BINARY_DIR}/libcleat_engine.a)
# Fuzzers see which code ran in Rust too: the flags go to the last step, which optimizes all crates as one, so nothing
# else is compiled anew. (cargo keeps both archives in its folder.)
set(engine_coverage "")
if(CLEAT_FUZZ)
  set(engine_coverage -- -Cpasses=sancov-module)
  foreach(flag level=3 inline-8bit-counters pc-table trace-compares)
    list(APPEND engine_coverage -Cllvm-args=-sanitizer-coverage-${flag})
  endforeach()
endif()
add_custom_command(
  OUTPUT ${engine_archive}
  COMMAND ${CMAKE_COMMAND} -E env ${engine_options} ${engine_coverage}
  COMMAND ${CMAKE_COMMAND} -E copy ${engine_built} ${engine_archive}
  DEPENDS ${engine_sources} ${engine_dir}/Cargo.toml ${engine_dir}/Cargo.lock
  WORKING_DIRECTORY ${engine_dir}
  COMMENT "Building the Raft engine with cargo (a cold build takes about a minute)"
  VERBATIM)
add_custom_target(cleat_engine_archive DEPENDS ${engine_archive})

add_library(cleat_engine STATIC IMPORTED GLOBAL)
set_target_properties(cleat_engine PROPERTIES IMPORTED_LOCATION ${engine_archive}
                                              INTERFACE_LINK_LIBRARIES "${engine_runtime}gcc_s;util;rt;pthread;m;dl")
add_dependencies(cleat_engine cleat_engine_archive)
