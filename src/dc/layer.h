/*
 * dc/layer.h - methods as older layers call them. A client speaks the layer that it announced; the
 * model knows that of the schema alone. What differs in objects is in model_write.c.
 */
#ifndef GAP_DC_LAYER_H
#define GAP_DC_LAYER_H

#include "base/buf.h"

/** gap_dc_layer_method: the client's layer has no such method. */
#define GAP_DC_NO_METHOD 1

/** First layer whose auth.authorization and help.appConfig are those of the schema. */
#define GAP_DC_LAYER_LATER 158

/**
 * Bring a method into the form of the schema's layer.
 *
 * @param layer   Announced by the client.
 * @param method  One boxed method; borrowed.
 * @param buf     Cleared; holds the new form if it has to be built.
 * @param out     @p method itself, or a view into @p buf. Whether it is well-formed is still to be
 *                checked.
 * @return 0; GAP_DC_NO_METHOD; GAP_E_TL too short to be translated; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_layer_method(int32_t layer, gap_bytes_t method, gap_buf_t *buf,
                                      gap_bytes_t *out);

#endif
