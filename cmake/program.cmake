# The program as it is installed, with its manual pages and what shells need to complete its words.
install(TARGETS cleat COMPONENT server)
install(DIRECTORY docs/man/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT server)

set(completion ${CMAKE_BINARY_DIR}/completion)
install(CODE "
  file(MAKE_DIRECTORY \"${completion}\")
  foreach(made bash=cleat zsh=_cleat)
    string(REGEX MATCH \"^([a-z]+)=(.+)\" made \"\${made}\")
    execute_process(COMMAND \"$<TARGET_FILE:cleat>\" completion \${CMAKE_MATCH_1}
                    OUTPUT_FILE \"${completion}/\${CMAKE_MATCH_2}\" COMMAND_ERROR_IS_FATAL ANY)
  endforeach()" COMPONENT server)
install(FILES ${completion}/cleat DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT server)
install(FILES ${completion}/_cleat DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT server)
