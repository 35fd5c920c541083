# One test binary per layer (src/<layer>/*_test.cpp), linked with the layer's own objects.
# Every ctest test carries a label (unit, scenario, sim, process, fuzz) and a time limit.
find_package(GTest)
if(NOT GTest_FOUND)
  message(STATUS "GoogleTest is not here: the tests are not built (`make test` installs it)")
  return()
endif()

function(cleat_layer_tests name)
  cmake_parse_arguments(T "" "" "LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*_test.cpp)
  if(sources)
    add_executable(${name}_test ${sources})
    target_link_libraries(${name}_test PRIVATE cleat_${name} ${T_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE CLEAT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()

foreach(layer base lock raft storage replica resp net server client cli)
  cleat_layer_tests(${layer})
endforeach()

if(EXISTS ${CMAKE_SOURCE_DIR}/sim/CMakeLists.txt)
  add_subdirectory(${CMAKE_SOURCE_DIR}/sim)
endif()
