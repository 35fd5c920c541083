# The build itself fails on an include that the layers do not allow (tools/check_layers.py).
find_package(Python3 COMPONENTS Interpreter REQUIRED)
string(STRIP "${CLEAT_LAYER_RULES}" CLEAT_LAYER_RULES_LINE)
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/layer_rules.txt CONTENT "${CLEAT_LAYER_RULES_LINE}\n")
file(GLOB_RECURSE CLEAT_LAYER_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/*.cpp ${CMAKE_SOURCE_DIR}/src/*.h
     ${CMAKE_SOURCE_DIR}/src/*.hpp)
add_custom_command(
  OUTPUT ${CMAKE_BINARY_DIR}/layers_checked
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/check_layers.py ${CMAKE_BINARY_DIR}/layer_rules.txt ${CMAKE_SOURCE_DIR}
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/layers_checked
  DEPENDS ${CMAKE_SOURCE_DIR}/tools/check_layers.py ${CMAKE_BINARY_DIR}/layer_rules.txt ${CLEAT_LAYER_FILES}
  COMMENT "Checking that includes go downwards only"
  VERBATIM)
add_custom_target(check_layers ALL DEPENDS ${CMAKE_BINARY_DIR}/layers_checked)
if(TARGET cleat)
  add_dependencies(cleat check_layers)
endif()
