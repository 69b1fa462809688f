// New lines that separate. One counts only where the grammar can use it, and only when the next line does not go on
// with the one before: `.`, `?.`, `??`, `&&`, `||`, `|`, `then`, `else`, `where`, `with`.

#include "tree_sitter/parser.h"
#include <string.h>

enum TokenType { NEWLINE };

void *tree_sitter_imm_external_scanner_create(void) { return NULL; }
void tree_sitter_imm_external_scanner_destroy(void *payload) { (void)payload; }
unsigned tree_sitter_imm_external_scanner_serialize(void *payload, char *buffer) {
  (void)payload;
  (void)buffer;
  return 0;
}
void tree_sitter_imm_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
  (void)payload;
  (void)buffer;
  (void)length;
}

static bool is_word(int32_t c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Whether what stands here goes on with the line before.
static bool goes_on(TSLexer *lexer) {
  int32_t first = lexer->lookahead;
  if (first == '|') return true;
  if (first == '.') {
    lexer->advance(lexer, false);
    return lexer->lookahead != '.';
  }
  if (first == '?' || first == '&') {
    lexer->advance(lexer, false);
    int32_t second = lexer->lookahead;
    return first == '?' ? (second == '.' || second == '?') : second == '&';
  }
  if (first != 't' && first != 'e' && first != 'w') return false;
  char word[8] = {0};
  unsigned length = 0;
  while (is_word(lexer->lookahead)) {
    if (length < sizeof word - 1) word[length] = (char)lexer->lookahead;
    length++;
    lexer->advance(lexer, false);
  }
  // A word before `=` is a key.
  while (lexer->lookahead == ' ') lexer->advance(lexer, false);
  if (lexer->lookahead == '=') return false;
  return strcmp(word, "then") == 0 || strcmp(word, "else") == 0 || strcmp(word, "where") == 0 || strcmp(word, "with") == 0;
}

bool tree_sitter_imm_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid) {
  (void)payload;
  if (!valid[NEWLINE]) return false;
  while (lexer->lookahead == ' ' || lexer->lookahead == '\t' || lexer->lookahead == '\r') lexer->advance(lexer, true);
  if (lexer->lookahead != '\n') return false;
  lexer->advance(lexer, false);
  lexer->mark_end(lexer);
  lexer->result_symbol = NEWLINE;
  // Empty lines and comments are passed over to see how the next line begins.
  for (;;) {
    int32_t c = lexer->lookahead;
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      lexer->advance(lexer, false);
    } else if (c == '/') {
      lexer->advance(lexer, false);
      if (lexer->lookahead != '/') return true;
      while (lexer->lookahead != '\n' && !lexer->eof(lexer)) lexer->advance(lexer, false);
    } else {
      return lexer->eof(lexer) || !goes_on(lexer);
    }
  }
}
