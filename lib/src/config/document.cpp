// SPDX-License-Identifier: Apache-2.0
#include "config/document.hpp"

#include <optional>
#include <sstream>

#include <yaml-cpp/eventhandler.h>

#include <usher/core/printable.hpp>
#include <usher/core/utf8.hpp>

#include "config/file.hpp"

namespace usher {

Position position_of(YAML::Mark const& mark)
{
    return mark.is_null() || mark.line < 0 ? Position{} : Position{mark.line + 1, mark.column + 1};
}

std::string_view node_kind(YAML::Node const& node)
{
    switch (node.Type()) {
    case YAML::NodeType::Map: return "a map";
    case YAML::NodeType::Sequence: return "a list";
    case YAML::NodeType::Scalar: return "text";
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined: break;
    }
    return "nothing";
}

namespace {

/// Line `number`, from 1, without its end; empty when there is none.
std::string_view line_at(std::string_view text, int number)
{
    for (; number > 1 && !text.empty(); --number) {
        const auto end = text.find('\n');
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return number < 1 ? std::string_view{} : text.substr(0, text.find('\n'));
}

/// From 1; 0 when all is well. yaml-cpp would put other characters in the place of such bytes, in silence.
int first_line_not_utf8(std::string_view text)
{
    for (int line = 1; !text.empty(); ++line) {
        const auto end = text.find('\n');
        if (!is_utf8(text.substr(0, end)))
            return line;
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return 0;
}

/// Where the second document of a text begins, if there is one. YAML::LoadAll wants all of them, and there is no end of
/// them in a text that begins with a comma.
class SecondDocument : public YAML::EventHandler {
public:
    static std::optional<Position> find(std::string const& text)
    {
        std::istringstream in{text};
        YAML::Parser parser{in};
        SecondDocument handler;
        while (!handler.at_ && parser.HandleNextDocument(handler)) {
        }
        return handler.at_;
    }

    void OnDocumentStart(YAML::Mark const&) override { ++documents_; }
    void OnDocumentEnd() override {}
    void OnNull(YAML::Mark const& mark, YAML::anchor_t) override { node(mark); }
    void OnAlias(YAML::Mark const& mark, YAML::anchor_t) override { node(mark); }
    void OnScalar(YAML::Mark const& mark, std::string const&, YAML::anchor_t, std::string const&) override
    {
        node(mark);
    }
    void OnSequenceStart(YAML::Mark const& mark, std::string const&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {
        node(mark);
    }
    void OnSequenceEnd() override {}
    void OnMapStart(YAML::Mark const& mark, std::string const&, YAML::anchor_t, YAML::EmitterStyle::value) override
    {
        node(mark);
    }
    void OnMapEnd() override {}

private:
    void node(YAML::Mark const& mark)
    {
        if (documents_ > 1 && !at_)
            at_ = position_of(mark);
    }

    int documents_ = 0;
    std::optional<Position> at_;
};

} // namespace

tl::expected<ConfigEntry, Mistake> read_document(std::string const& path, std::string const& needed)
{
    auto file = read_file(path);
    if (!file)
        return tl::unexpected{Mistake{Position{}, file.error()}};
    // yaml-cpp notices a quote that is never closed only where the text does not end with a newline.
    file->content.resize(file->content.find_last_not_of(" \t\r\n") + 1);
    try {
        if (const auto line = first_line_not_utf8(file->content); line > 0) {
            return tl::unexpected{
                Mistake{Position{line, 1}, "is not UTF-8 text from this line on; save the file as UTF-8"}};
        }
        const auto root = YAML::Load(file->content);
        if (const auto other = SecondDocument::find(file->content))
            return tl::unexpected{Mistake{*other, "expected one YAML document, got a second one"}};
        if (!root.IsDefined() || root.IsNull())
            return tl::unexpected{Mistake{Position{}, "is empty; it needs at least " + needed}};
        return ConfigEntry{root, "", position_of(root.Mark())};
    } catch (YAML::Exception const& error) {
        const auto at = position_of(error.mark);
        const auto indent = line_at(file->content, at.line);
        const bool tab = indent.substr(0, indent.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
        return tl::unexpected{Mistake{
            at, tab ? "the line is indented with a tab; YAML takes spaces only" : "not YAML: " + printable(error.msg)}};
    }
}

} // namespace usher
