// Settings: a file, variables and flags of any bytes make a configuration or a line that says what is wrong; a value
// that was taken is shown so that it would be taken again as the same.
#include <fstream>

#include "fuzzing.hpp"
#include "server/cluster_settings.hpp"

namespace {

using namespace cleat;
using server::Config;

void refused(const base::Status& why) {
  MUST_HOLD(!why.message().empty());
}

void one_value(const server::Setting& setting, std::string_view text) {
  Config config;
  if (const auto s = server::set_value(setting, text, config); !s.ok()) return refused(s);
  Config again;
  MUST_HOLD(server::set_value(setting, server::shown_value(setting, config), again).ok());
  MUST_HOLD(server::shown_value(setting, again) == server::shown_value(setting, config));
}

void whole(std::span<const server::GivenSetting> given) {
  const auto config = server::make_config(given);
  if (!config.ok()) return refused(config.status());
  const auto members = server::cluster_settings(*config);
  if (!members.ok()) return refused(members.status());
  server::cluster_warning(*members);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = fuzz::scratch_folder() + "/cleat.toml";
  if (size < 2) return 0;
  const std::string_view bytes = fuzz::text(data + 2, size - 2);
  const auto table = server::settings_table();
  const server::Setting& setting = table[data[1] % table.size()];
  if (data[0] % 8 == 0) {  // a file costs more than all the rest
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    const auto given = server::settings_of_file(path);
    given.ok() ? whole(*given) : refused(given.status());
    return 0;
  }
  one_value(setting, bytes);
  std::vector<std::string> lines = {"CLEAT_" + std::string(bytes)}, unknown;
  whole(server::settings_of_environment(lines, &unknown));
  const server::GivenSetting flags[] = {{"name", "a", "--name"},
                                        {std::string(setting.name), std::string(bytes), "--it"}};
  whole(flags);
  for (const auto& member : {server::parse_listed_member(bytes)})
    if (member.ok()) MUST_HOLD(server::member_name_error(member->name).empty());
  return 0;
}
