/* The only file that includes RE2. Expressions that regex_steps.h can follow do not come to it for groups. */
extern "C" {
#include "base/status.h"
#include "base/utf8.h"
}

#include "logql/pipe/regex.h"
#include "logql/pipe/regex_steps.h"

#include <re2/re2.h>

#include <cstring>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace
{

/* Nesting that the search for literals follows; deeper means no literals. RE2 itself allows 1000. */
constexpr int depth_max = 200;
/* Longest literal worth searching: longer ones are cut (the cut one is still required). */
constexpr size_t literal_bytes_max = 64;

/* Places of a prefix that are tried one by one: each may cost as much as a search. */
constexpr int prefix_attempt_count = 8;

using strings = std::vector<std::string>;

/* What is known of the texts that a part of the expression matches. */
struct part {
    bool listed = false; /* every match is one of `set` */
    bool exact = false;  /* listed, and each of `set` is a match wherever it stands */
    strings set;
    strings need; /* every match contains one of these; empty: nothing known */
};

size_t shortest(const strings &set)
{
    size_t len = SIZE_MAX;

    for (const std::string &item : set)
        len = std::min(len, item.size());
    return set.empty() ? 0 : len;
}

/* The clause that lets fewer texts through, by a rough guess. */
void keep_better(strings *best, const strings &candidate)
{
    size_t old_score = shortest(*best) * 4 + (best->size() == 1 ? 2 : 0);
    size_t new_score = shortest(candidate) * 4 + (candidate.size() == 1 ? 2 : 0);

    if (shortest(candidate) > 0 && new_score > old_score)
        *best = candidate;
}

/* Recursive descent over Go's syntax, only as exact as needed: what it does not know, it calls unknown. It never has
 * to refuse: RE2 has accepted the text before. */
class literal_finder
{
  public:
    literal_finder(const std::string &text, bool fold) : text_(text), fold_(fold)
    {
    }

    /* Every match begins with this text ("": not known). */
    const std::string &prefix() const
    {
        return prefix_;
    }

    part run()
    {
        part result = alternation(0);

        if (failed_ || at_ != text_.size())
            return part();
        return result;
    }

  private:
    bool more() const
    {
        return at_ < text_.size();
    }

    bool looking_at(const char *word) const
    {
        return text_.compare(at_, strlen(word), word) == 0;
    }

    part unknown() const
    {
        return part();
    }

    part literal(const std::string &bytes) const
    {
        part result;
        std::string item = bytes;

        if (fold_) {
            /* k and s fold to U+212A and U+017F; letters beyond ASCII fold in ways that find.h does not know. */
            unsigned char c = static_cast<unsigned char>(bytes[0]);

            if (c >= 0x80 || (c | 32) == 'k' || (c | 32) == 's')
                return unknown();
            if (c >= 'A' && c <= 'Z')
                item[0] = static_cast<char>(c + 32);
        }
        if (bytes == "\xEF\xBF\xBD") /* stands for any bad byte of the text as well */
            return unknown();
        result.listed = true;
        result.exact = true;
        result.set.push_back(item);
        return result;
    }

    part nothing(bool exact) const
    {
        part result;

        result.listed = true;
        result.exact = exact;
        result.set.emplace_back();
        return result;
    }

    part alternation(int depth)
    {
        std::vector<part> branches;

        if (depth > depth_max) {
            failed_ = true;
            return unknown();
        }
        branches.push_back(concatenation(depth));
        while (!failed_ && more() && text_[at_] == '|') {
            at_++;
            branches.push_back(concatenation(depth));
        }
        if (branches.size() == 1)
            return branches[0];
        if (depth == 0)
            prefix_.clear();
        return unite(branches);
    }

    part unite(const std::vector<part> &branches) const
    {
        part result;
        bool known = true;

        result.listed = result.exact = true;
        for (const part &branch : branches) {
            const strings &clause = branch.listed ? branch.set : branch.need;

            result.listed = result.listed && branch.listed;
            result.exact = result.exact && branch.exact;
            known = known && !clause.empty();
            result.set.insert(result.set.end(), clause.begin(), clause.end());
            if (result.set.size() > SLG_REGEX_LITERAL_COUNT_MAX)
                return unknown();
        }
        if (!known)
            return unknown();
        if (!result.listed) {
            if (shortest(result.set) > 0)
                result.need = result.set;
            result.set.clear();
            result.exact = false;
        }
        return result;
    }

    part concatenation(int depth)
    {
        part sum = nothing(/* exact= */ true);
        strings best;
        bool all_listed = true;

        while (!failed_ && more() && text_[at_] != '|' && text_[at_] != ')') {
            part next = repetition(depth);

            if (!next.listed || !multiply(&sum, next)) {
                if (depth == 0 && all_listed && sum.exact && sum.set.size() == 1)
                    prefix_ = sum.set[0];
                keep_better(&best, sum.set);
                keep_better(&best, next.listed ? next.set : next.need);
                all_listed = false;
                sum = nothing(/* exact= */ true);
            }
        }
        if (depth == 0 && all_listed && sum.exact && sum.set.size() == 1)
            prefix_ = sum.set[0];
        if (all_listed)
            return sum;
        keep_better(&best, sum.set);
        sum = part();
        sum.need = best;
        return sum;
    }

    /* sum := every text of sum followed by every text of next; false when that is too much. */
    static bool multiply(part *sum, const part &next)
    {
        strings product;

        if (sum->set.size() * next.set.size() > SLG_REGEX_LITERAL_COUNT_MAX)
            return false;
        for (const std::string &head : sum->set)
            for (const std::string &tail : next.set) {
                if (head.size() + tail.size() > literal_bytes_max)
                    return false;
                product.push_back(head + tail);
            }
        sum->set = product;
        sum->exact = sum->exact && next.exact;
        return true;
    }

    part repetition(int depth)
    {
        part item = atom(depth);

        while (!failed_ && more()) {
            unsigned long least;
            bool once = false;

            if (text_[at_] == '*' || text_[at_] == '?') {
                least = 0;
                at_++;
            } else if (text_[at_] == '+') {
                least = 1;
                at_++;
            } else if (text_[at_] == '{' && at_ + 1 < text_.size() && text_[at_ + 1] >= '0' &&
                       text_[at_ + 1] <= '9') {
                size_t close = text_.find('}', at_);

                if (close == std::string::npos)
                    return item;
                least = strtoul(text_.c_str() + at_ + 1, nullptr, 10);
                once = text_.compare(at_, close + 1 - at_, "{1}") == 0;
                if (text_.find_first_not_of("0123456789,", at_ + 1) != close)
                    return item; /* "{1x}" is literal text: RE2 says so, and we give up on it below */
                at_ = close + 1;
            } else {
                break;
            }
            if (more() && text_[at_] == '?')
                at_++;
            item = repeated(item, least, once);
        }
        return item;
    }

    static part repeated(const part &item, unsigned long least, bool once)
    {
        part result;

        if (once)
            return item;
        if (least == 0)
            return result;
        result.need = item.listed ? item.set : item.need;
        if (shortest(result.need) == 0)
            result.need.clear();
        return result;
    }

    part atom(int depth)
    {
        char c = text_[at_];

        switch (c) {
        case '(':
            return group(depth);
        case '[':
            return character_class();
        case '.':
            at_++;
            return unknown();
        case '^':
        case '$':
            at_++;
            return nothing(/* exact= */ false);
        case '\\':
            return escape();
        case '{': /* may be literal: not worth knowing */
            at_++;
            return unknown();
        default:
            return character();
        }
    }

    part character()
    {
        size_t step = 1;

        (void)slg_utf8_check(reinterpret_cast<const uint8_t *>(text_.data()) + at_,
                             text_.size() - at_, &step);
        at_ += step;
        return literal(text_.substr(at_ - step, step));
    }

    part group(int depth)
    {
        part inner;

        at_++;
        if (looking_at("?")) {
            size_t end;

            if (looking_at("?P<") || looking_at("?<")) {
                end = text_.find('>', at_);
            } else {
                end = text_.find_first_not_of("imsU-", at_ + 1);
                if (end != std::string::npos && text_[end] == ')') { /* (?s): for the rest */
                    at_ = end + 1;
                    return nothing(/* exact= */ true);
                }
                if (end != std::string::npos && text_[end] != ':')
                    end = std::string::npos;
            }
            if (end == std::string::npos) {
                failed_ = true;
                return unknown();
            }
            at_ = end + 1;
        }
        inner = alternation(depth + 1);
        if (failed_ || !more() || text_[at_] != ')') {
            failed_ = true;
            return unknown();
        }
        at_++;
        return inner;
    }

    /* [abc] of up to 4 plain characters is a choice; anything else is unknown. */
    part character_class()
    {
        size_t start = ++at_;
        std::vector<part> choices;
        bool plain = true;

        if (more() && text_[at_] == '^') {
            plain = false;
            at_++;
        }
        for (bool first = true; more() && (first || text_[at_] != ']'); first = false) {
            char c = text_[at_];

            if (c == '\\' && at_ + 1 < text_.size()) {
                plain = false;
                at_ += 2;
                if (text_[at_ - 1] == 'Q') { /* \Q in a class: give up */
                    failed_ = true;
                    return unknown();
                }
            } else if (c == '[' && at_ + 1 < text_.size() && text_[at_ + 1] == ':') {
                size_t end = text_.find(":]", at_);

                plain = false;
                at_ = end == std::string::npos ? at_ + 1 : end + 2;
            } else {
                if (c == '-' || static_cast<unsigned char>(c) >= 0x80 || at_ - start >= 4)
                    plain = false;
                at_++;
            }
        }
        if (!more()) {
            failed_ = true;
            return unknown();
        }
        if (plain)
            for (size_t i = start; i < at_; i++)
                choices.push_back(literal(text_.substr(i, 1)));
        at_++;
        if (choices.size() == 1)
            return choices[0];
        return choices.empty() ? unknown() : unite(choices);
    }

    part escape()
    {
        char c;

        if (at_ + 1 >= text_.size()) {
            failed_ = true;
            return unknown();
        }
        c = text_[at_ + 1];
        if (c == 'Q')
            return quoted();
        at_ += 2;
        if (c == 'b' || c == 'B' || c == 'A' || c == 'z')
            return nothing(/* exact= */ false);
        if (c == 'E')
            return nothing(/* exact= */ true);
        if (c == 'p' || c == 'P') {
            if (more() && text_[at_] == '{') {
                size_t end = text_.find('}', at_);

                at_ = end == std::string::npos ? text_.size() : end + 1;
            } else if (more()) {
                at_++;
            }
            return unknown();
        }
        if (c == 'x') { /* a hexadecimal escape: not worth knowing, only its end is */
            if (more() && text_[at_] == '{') {
                size_t end = text_.find('}', at_);

                at_ = end == std::string::npos ? text_.size() : end + 1;
            } else {
                at_ = std::min(at_ + 2, text_.size());
            }
            return unknown();
        }
        if (c >= '0' && c <= '9') {
            while (more() && text_[at_] >= '0' && text_[at_] <= '7')
                at_++;
            return unknown();
        }
        if (c == 't')
            return literal("\t");
        if (c == 'n')
            return literal("\n");
        if (c == 'r')
            return literal("\r");
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            static_cast<unsigned char>(c) >= 0x80)
            return unknown();
        return literal(std::string(1, c));
    }

    part quoted()
    {
        size_t end = text_.find("\\E", at_ + 2);
        size_t stop = end == std::string::npos ? text_.size() : end;
        part sum = nothing(/* exact= */ true);

        /* A repetition after \E binds to the last character only: give up on those. */
        at_ += 2;
        while (at_ < stop) {
            part next = character();

            if (!next.listed || !multiply(&sum, next)) {
                failed_ = true;
                return unknown();
            }
        }
        at_ = end == std::string::npos ? stop : end + 2;
        if (more() && strchr("*+?{", text_[at_]) != nullptr)
            failed_ = true;
        return sum;
    }

    const std::string &text_;
    std::string prefix_;
    size_t at_ = 0;
    bool fold_;
    bool failed_ = false;
};

/* Go names groups (?<n>..) too, which this RE2 does not know; \C it does not have. False: \C was found. Tells about
 * flags on the way. */
bool translate(const char *text, size_t len, std::string *out, bool *has_fold, bool *simple_fold)
{
    bool in_class = false;
    size_t flag_count = 0, class_start = 0;

    *has_fold = false;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '\\' && i + 1 < len) {
            if (text[i + 1] == 'C')
                return false;
            if (text[i + 1] == 'Q' && !in_class) {
                const void *found = memmem(text + i, len - i, "\\E", 2);
                size_t end = found == nullptr
                                 ? len
                                 : static_cast<size_t>(static_cast<const char *>(found) - text);

                out->append(text + i, end - i);
                i = end - 1;
                continue;
            }
            out->append(text + i, 2);
            i++;
            continue;
        }
        if (in_class) {
            if (c == ']' && i > class_start)
                in_class = false;
        } else if (c == '[') {
            in_class = true;
            class_start = i + (i + 1 < len && text[i + 1] == '^' ? 2 : 1);
        } else if (c == '(' && i + 2 < len && text[i + 1] == '?') {
            if (text[i + 2] == '<' && i + 3 < len && text[i + 3] != '=' && text[i + 3] != '!') {
                out->append("(?P");
                i++;
                continue;
            }
            if (text[i + 2] != 'P' && text[i + 2] != ':') {
                flag_count++;
                for (size_t k = i + 2; k < len && strchr("imsU", text[k]) != nullptr; k++)
                    if (text[k] == 'i')
                        *has_fold = true;
            }
        }
        out->push_back(c);
    }
    *simple_fold = *has_fold && flag_count == 1 && len >= 4 && memcmp(text, "(?i)", 4) == 0;
    return true;
}

/* RE2's words to Go's (regexp/syntax ErrorCode). */
const char *go_error(RE2::ErrorCode code)
{
    switch (code) {
    case RE2::ErrorBadEscape:
        return "invalid escape sequence";
    case RE2::ErrorBadCharClass:
        return "invalid character class";
    case RE2::ErrorBadCharRange:
        return "invalid character class range";
    case RE2::ErrorMissingBracket:
        return "missing closing ]";
    case RE2::ErrorMissingParen:
        return "missing closing )";
    case RE2::ErrorUnexpectedParen:
        return "unexpected )";
    case RE2::ErrorTrailingBackslash:
        return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument:
        return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize:
        return "invalid repeat count";
    case RE2::ErrorRepeatOp:
        return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp:
        return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8:
        return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture:
        return "invalid named capture";
    case RE2::ErrorPatternTooLarge:
        return "expression too large";
    case RE2::NoError:
    case RE2::ErrorInternal:
        break;
    }
    return "regexp/syntax: internal error";
}

bool is_ascii(const char *text, size_t len)
{
    uint64_t seen = 0;
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        uint64_t word;

        memcpy(&word, text + i, 8);
        seen |= word;
    }
    for (; i < len; i++)
        seen |= static_cast<unsigned char>(text[i]) & 0x80U ? UINT64_C(0x80) : 0;
    return (seen & UINT64_C(0x8080808080808080)) == 0;
}

bool is_utf8(const char *text, size_t len)
{
    if (is_ascii(text, len))
        return true;
    for (size_t i = 0, step; i < len; i += step)
        if (!slg_utf8_check(reinterpret_cast<const uint8_t *>(text) + i, len - i, &step))
            return false;
    return true;
}

/* Every bad byte becomes U+FFFD (Go decodes bad UTF-8 byte by byte). *origin, if wanted: offset in text of each byte of
 * the copy, and the end. */
std::string repair(const char *text, size_t len, std::vector<uint32_t> *origin)
{
    std::string copy;

    copy.reserve(len + len / 4);
    for (size_t i = 0, step; i < len; i += step) {
        const uint8_t *at = reinterpret_cast<const uint8_t *>(text) + i;

        if (slg_utf8_check(at, len - i, &step)) {
            copy.append(text + i, step);
        } else {
            step = 1;
            copy.append("\xEF\xBF\xBD");
        }
        if (origin != nullptr)
            while (origin->size() < copy.size())
                origin->push_back(static_cast<uint32_t>(i));
    }
    if (origin != nullptr)
        origin->push_back(static_cast<uint32_t>(len));
    return copy;
}

} // namespace

struct slg_regex {
    std::unique_ptr<RE2> re2;
    bool anchored = false;
    bool exact = false; /* needles tell all: RE2 is not asked */
    strings literals;
    std::vector<slg_needle> needles;
    std::unique_ptr<slg_regex_steps> steps; /* the same expression, if it is of that kind */
    std::string prefix;                     /* every match begins with it */
    slg_needle prefix_needle = {};
    strings names; /* of groups 1.. */
};

static void find_literals(slg_regex *regex, const std::string &text, bool has_fold,
                          bool simple_fold)
{
    literal_finder finder(text, has_fold);
    part found = finder.run();

    /* What a fold may begin with is not one text. */
    if (!has_fold && !regex->anchored && (found.listed || !found.need.empty()))
        regex->prefix = finder.prefix();
    regex->prefix_needle =
        slg_needle_make(regex->prefix.data(), regex->prefix.size(), /* fold= */ false);
    if (found.listed && (shortest(found.set) > 0 || found.exact))
        regex->literals = found.set;
    else
        regex->literals = found.need;
    regex->exact = found.listed && found.exact && (!has_fold || simple_fold);
    for (const std::string &item : regex->literals)
        regex->needles.push_back(slg_needle_make(item.data(), item.size(), has_fold));
}

static enum slg_status compile(const struct slg_regex_options *options,
                               struct slg_regex **ret_regex, struct slg_error *reterr)
{
    std::unique_ptr<slg_regex> regex(new slg_regex);
    RE2::Options re2_options(RE2::Quiet);
    std::string text;
    bool has_fold = false, simple_fold = false;

    if (options->len > SLG_REGEX_TEXT_BYTES_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "regular expression is longer than %zu bytes",
                          SLG_REGEX_TEXT_BYTES_MAX);
    if (!translate(options->text, options->len, &text, &has_fold, &simple_fold))
        return slg_errorf(reterr, SLG_INVALID,
                          "error parsing regexp: invalid escape sequence: `\\C`");
    re2_options.set_max_mem(static_cast<int64_t>(
        options->memory_bytes == 0 ? SLG_REGEX_MEMORY_BYTES : options->memory_bytes));
    re2_options.set_dot_nl(options->dot_newline);
    regex->re2.reset(new RE2(re2::StringPiece(text), re2_options));
    if (!regex->re2->ok()) {
        const std::string &arg = regex->re2->error_arg();

        return slg_errorf(
            reterr, regex->re2->error_code() == RE2::ErrorPatternTooLarge ? SLG_LIMIT : SLG_INVALID,
            "error parsing regexp: %s: `%.*s`", go_error(regex->re2->error_code()),
            static_cast<int>(std::min<size_t>(arg.size(), 128)), arg.data());
    }
    regex->anchored = options->anchored;
    regex->names.resize(static_cast<size_t>(regex->re2->NumberOfCapturingGroups()));
    for (const auto &item : regex->re2->CapturingGroupNames())
        regex->names[static_cast<size_t>(item.first) - 1] = item.second;
    find_literals(regex.get(), text, has_fold, simple_fold);
    if (!options->anchored) {
        regex->steps.reset(new slg_regex_steps);
        if (!slg_regex_steps_compile(text.data(), text.size(), options->dot_newline,
                                     regex->steps.get()))
            regex->steps.reset();
    }
    *ret_regex = regex.release();
    return SLG_OK;
}

enum slg_status slg_regex_create(const struct slg_regex_options *options,
                                 struct slg_regex **ret_regex, struct slg_error *reterr)
{
    try {
        return compile(options, ret_regex, reterr);
    } catch (...) {
        return slg_errorf(reterr, SLG_NO_MEMORY, "could not compile regular expression");
    }
}

void slg_regex_destroy(struct slg_regex *regex)
{
    delete regex;
}

/* May the text match? False: certainly not. */
static bool passes(const struct slg_regex *regex, const char *text, size_t len)
{
    if (regex->needles.empty())
        return true;
    for (const slg_needle &needle : regex->needles)
        if (slg_needle_find(&needle, text, len) != SLG_FIND_NONE)
            return true;
    return false;
}

static bool equal_to_one(const struct slg_regex *regex, const char *text, size_t len)
{
    for (const slg_needle &needle : regex->needles)
        if (needle.len == len && slg_needle_find(&needle, text, len) == 0)
            return true;
    return false;
}

bool slg_regex_match(const struct slg_regex *regex, const char *text, size_t len)
{
    RE2::Anchor anchor = regex->anchored ? RE2::ANCHOR_BOTH : RE2::UNANCHORED;

    if (text == nullptr)
        text = "";
    if (regex->exact && regex->anchored)
        return equal_to_one(regex, text, len);
    if (!passes(regex, text, len))
        return false;
    if (regex->exact)
        return true;
    try {
        if (is_utf8(text, len))
            return regex->re2->Match(re2::StringPiece(text, len), 0, len, anchor, nullptr, 0);
        std::string copy = repair(text, len, nullptr);

        return regex->re2->Match(re2::StringPiece(copy), 0, copy.size(), anchor, nullptr, 0);
    } catch (...) {
        return false;
    }
}

static void export_span(const re2::StringPiece &piece, struct slg_regex_span *ret)
{
    ret->at = piece.data();
    ret->len = piece.size();
}

static bool find_repaired(const struct slg_regex *regex, const char *text, size_t len, size_t start,
                          struct slg_regex_span *ret_groups, re2::StringPiece *pieces,
                          int group_count)
{
    std::vector<uint32_t> origin;
    std::string copy = repair(text, len, &origin);
    size_t copy_start = 0;

    while (copy_start < copy.size() && origin[copy_start] < start)
        copy_start++;
    if (!regex->re2->Match(re2::StringPiece(copy), copy_start, copy.size(),
                           regex->anchored ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, pieces,
                           group_count))
        return false;
    for (int i = 0; i < group_count; i++) {
        size_t from, to;

        if (pieces[i].data() == nullptr) {
            ret_groups[i] = slg_regex_span{ nullptr, 0 };
            continue;
        }
        from = static_cast<size_t>(pieces[i].data() - copy.data());
        to = from + pieces[i].size();
        ret_groups[i].at = text + origin[from];
        ret_groups[i].len = origin[to] - origin[from];
    }
    return true;
}

/* Try at the next places where the prefix stands, anchored there, which RE2 does much faster than to search for groups.
 * 1: found, 0: not there, -1: too many places that did not match, search from *start on. */
static int find_at_prefix(const struct slg_regex *regex, const re2::StringPiece &text,
                          size_t *start, re2::StringPiece *pieces, int group_count)
{
    for (int attempt = 0; attempt < prefix_attempt_count; attempt++) {
        size_t at =
            slg_needle_find(&regex->prefix_needle, text.data() + *start, text.size() - *start);

        if (at == SLG_FIND_NONE)
            return 0;
        *start += at;
        if (regex->re2->Match(text, *start, text.size(), RE2::ANCHOR_START, pieces, group_count))
            return 1;
        (*start)++;
    }
    return -1;
}

static bool find_by_re2(const struct slg_regex *regex, const char *text, size_t len, size_t start,
                        struct slg_regex_span *ret_groups, size_t group_count)
{
    re2::StringPiece pieces[SLG_REGEX_GROUP_COUNT_MAX];
    int found = -1;

    if (regex->prefix.empty() && !passes(regex, text + start, len - start))
        return false;
    try {
        if (!is_utf8(text, len))
            return find_repaired(regex, text, len, start, ret_groups, pieces,
                                 static_cast<int>(group_count));
        if (!regex->prefix.empty())
            found = find_at_prefix(regex, re2::StringPiece(text, len), &start, pieces,
                                   static_cast<int>(group_count));
        if (found < 0)
            found = regex->re2->Match(re2::StringPiece(text, len), start, len,
                                      regex->anchored ? RE2::ANCHOR_BOTH : RE2::UNANCHORED, pieces,
                                      static_cast<int>(group_count));
        if (found == 0)
            return false;
    } catch (...) {
        return false;
    }
    for (size_t i = 0; i < group_count; i++)
        export_span(pieces[i], &ret_groups[i]);
    return true;
}

bool slg_regex_find(const struct slg_regex *regex, const char *text, size_t len, size_t start,
                    struct slg_regex_span *ret_groups, size_t group_count)
{
    if (text == nullptr)
        text = "";
    if (group_count > SLG_REGEX_GROUP_COUNT_MAX || start > len)
        return false;
    if (regex->steps && group_count <= regex->steps->group_count + 1) {
        int found =
            slg_regex_steps_find(regex->steps.get(), text, len, &start, ret_groups, group_count);

        if (found >= 0)
            return found == 1;
    }
    return find_by_re2(regex, text, len, start, ret_groups, group_count);
}

size_t slg_regex_group_count(const struct slg_regex *regex)
{
    return regex->names.size();
}

const char *slg_regex_group_name(const struct slg_regex *regex, size_t group)
{
    return group >= 1 && group <= regex->names.size() ? regex->names[group - 1].c_str() : "";
}

size_t slg_regex_literals(const struct slg_regex *regex, const struct slg_needle **ret_needles,
                          bool *ret_exact)
{
    *ret_needles = regex->needles.data();
    *ret_exact = regex->exact;
    return regex->needles.size();
}
