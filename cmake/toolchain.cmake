# Warnings, sanitizers, ccache and mold when they are there.
add_compile_options(-Wall -Wextra -Wshadow -Werror -fno-omit-frame-pointer)
if(CLEAT_SANITIZE)
  add_compile_options(-fsanitize=${CLEAT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${CLEAT_SANITIZE})
  # Instrumented code confuses this warning (gcc's manual says so); the Release build has it.
  add_compile_options(-Wno-maybe-uninitialized)
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
  if(CLEAT_SANITIZE STREQUAL thread)
    add_compile_options(-Wno-tsan)  # Asio's fences, which no test of threads relies on
  endif()
else()
  # None of our functions is replaced by one of a shared library, so calls need not leave room for it.
  add_compile_options(-fno-semantic-interposition)
endif()
if(CLEAT_MUTANTS)
  add_compile_definitions(CLEAT_MUTANTS=1)
endif()
add_compile_definitions(SPDLOG_COMPILED_LIB SPDLOG_FMT_EXTERNAL ASIO_STANDALONE ASIO_NO_DEPRECATED)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
