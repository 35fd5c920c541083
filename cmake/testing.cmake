# cleat::testing, what <cleat/testing.hpp> needs: the service and the lock machine without what a server keeps on disk or
# sends over sockets, so it links to no Rust archive. Needs fmt and spdlog beside cleat::cleat.
cleat_layer(testing DEPS client server)

function(cleat_objects_of out layer)
  list(JOIN ARGN "|" names)
  set(${out} "$<FILTER:$<TARGET_OBJECTS:cleat_${layer}>,INCLUDE,/(${names})\\.cpp\\.o$>" PARENT_SCOPE)
endfunction()
cleat_objects_of(server_objects server backup_source cluster_settings event_hub event_ring info input_buffer local_answers membership_rules
                 metrics password service service_members service_outcomes service_requests service_sessions service_terms
                 service_undecided settings)
cleat_objects_of(replica_objects replica backup image liveness members)
cleat_objects_of(storage_objects storage snapshot_reader snapshot_writer)
cleat_objects_of(net_objects net address)

add_library(cleat_testing_library STATIC $<TARGET_OBJECTS:cleat_testing> $<TARGET_OBJECTS:cleat_lock> $<TARGET_OBJECTS:cleat_resp>
                                         ${server_objects} ${replica_objects} ${net_objects} ${storage_objects})
target_link_libraries(cleat_testing_library PUBLIC cleat_library fmt::fmt spdlog::spdlog)
set_target_properties(cleat_testing_library PROPERTIES OUTPUT_NAME cleat_fake EXPORT_NAME testing LINKER_LANGUAGE CXX)
add_library(cleat::testing ALIAS cleat_testing_library)

# Of the static library only: it uses parts that a shared one does not export.
if(NOT BUILD_SHARED_LIBS)
  install(TARGETS cleat_testing_library EXPORT cleatTestingTargets COMPONENT library)
  install(EXPORT cleatTestingTargets NAMESPACE cleat:: DESTINATION ${package_dir} COMPONENT library)
  configure_file(cmake/cleat-testing.pc.in cleat-testing.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cleat-testing.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)
endif()
