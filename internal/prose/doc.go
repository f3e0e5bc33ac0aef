// Package prose is a policy in words.
//
// It knows how conditions, gates and procedures are said to people: explained,
// compared with another bundle, documented as auditors read them, laid out for
// those who write them, and described to editors and in the reference. It leaves
// to policy what they mean and to lint what is wrong with them.
//
// Invariant: nothing that a bundle says is lost or invented. What cannot be put
// into words stands as it is written, a comparison tells every change of meaning
// and no change of layout, and a layout that would change anything is refused.
package prose
